"""`vsr completion`: print the script with which a shell completes vsr's commands, options and models."""

import os
import re
from typing import ClassVar

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

SHELLS = ("bash", "zsh", "fish", "powershell")

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_WORDS = $commandAst.ToString()
    $env:COMP_CWORD = $wordToComplete
    try {
        %(prog_name)s | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell, which completes file names itself if it gets no suggestion."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and its beginning. Backslashes belong to paths."""
        words = re.findall(r"\"[^\"]*\"?|'[^']*'?|\S+", os.environ.get("COMP_WORDS", ""))
        args = [word.strip("\"'") for word in words][1:]
        incomplete = os.environ.get("COMP_CWORD", "").strip("\"'")
        if incomplete and args and args[-1] == incomplete:
            args.pop()
        return args, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return a line of the value and its help, or nothing for files."""
        return f"{item.value}\t{item.help or ''}" if item.type == "plain" else ""

    def complete(self) -> str:
        """Return the lines for the shell."""
        return "\n".join(line for line in super().complete().splitlines() if line)


add_completion_class(PowerShellComplete)


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS, case_sensitive=False))
def command(shell: str) -> None:
    """Print the script that makes a shell complete commands, options and models.

    \b
    bash         ~/.bashrc:  eval "$(vsr completion bash)"
    zsh          ~/.zshrc:   eval "$(vsr completion zsh)"
    fish         once:       vsr completion fish > ~/.config/fish/completions/vsr.fish
    powershell   $PROFILE:   vsr completion powershell | Out-String | Invoke-Expression
    """
    from vsrcli.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    made = found(cli, {}, "vsr", "_VSR_COMPLETE")
    click.echo(made.source_template % made.source_vars())
