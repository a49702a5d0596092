<#
.SYNOPSIS
Upscale every video in a folder and its subfolders, one after the other.

.DESCRIPTION
The folder tree is kept. Videos whose result exists already are skipped, so the script can be stopped (Ctrl-C) and
started again at any time; a video that was stopped half way goes on where it was. One bad file does not stop the rest.

"vsr upscale InFolder -o OutFolder --recursive" does much the same; take this script as a start for your own rules about
which files, which names and which options.

Exit code: 0 all done, 3 some failed, 2 wrong call, 130 stopped.

.EXAMPLE
./upscale_folder.ps1 C:\Videos\old C:\Videos\new -m basicvsr --crf 16
All that follows the two folders goes to "vsr upscale".
#>

# No param() block: PowerShell would take vsr's own options (-m, -o, -y) for the script's.
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false  # a failed video must not end the script

if ($args.Count -lt 2 -or -not (Test-Path -LiteralPath $args[0] -PathType Container)) {
    [Console]::Error.WriteLine('usage: upscale_folder.ps1 IN_FOLDER OUT_FOLDER [options of vsr upscale ...]')
    exit 2
}
if (-not (Get-Command vsr -ErrorAction SilentlyContinue)) {
    [Console]::Error.WriteLine("vsr not found: activate vsr's environment first")
    exit 2
}

$separator = [IO.Path]::DirectorySeparatorChar
$source = (Resolve-Path -LiteralPath $args[0]).ProviderPath.TrimEnd($separator)
$target = (New-Item -ItemType Directory -Force -Path $args[1]).FullName.TrimEnd($separator)
$options = @($args | Select-Object -Skip 2)
if ($source -eq $target) {
    [Console]::Error.WriteLine('the two folders must differ')
    exit 2
}

# Not searched: vsr's work folders (*.vsr), and the output folder, which may lie inside the input.
$kinds = '.mp4', '.mkv', '.mov', '.webm', '.avi', '.ts', '.gif'
$videos = Get-ChildItem -LiteralPath $source -Recurse -File | Where-Object {
    $kinds -contains $_.Extension.ToLowerInvariant() -and
    -not $_.FullName.StartsWith($target + $separator) -and
    $_.FullName.Substring($source.Length) -notmatch '\.vsr[\\/]'
} | Sort-Object FullName

$finished = 0
$skipped = 0
$failed = @()

foreach ($video in $videos) {
    $name = $video.FullName.Substring($source.Length + 1)
    $result = Join-Path $target $name
    if (Test-Path -LiteralPath $result) {
        $skipped++
        continue
    }
    [Console]::Error.WriteLine("== $name")
    [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($result)) | Out-Null
    & vsr upscale $video.FullName -o $result @options
    if ($LASTEXITCODE -eq 0) {
        $finished++
    } elseif ($LASTEXITCODE -eq 130) {
        [Console]::Error.WriteLine('stopped; the same command goes on from here')
        exit 130
    } else {
        $failed += "$name (exit code $LASTEXITCODE)"
    }
}

[Console]::Error.WriteLine("$finished upscaled, $skipped skipped (already there), $($failed.Count) failed")
if ($failed.Count -gt 0) {
    $failed | ForEach-Object { [Console]::Error.WriteLine("  failed: $_") }
    exit 3
}
