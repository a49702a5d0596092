"""Show a command's options in groups: output, size, quality, model, memory, cluster, job."""

import click

GROUPS = {
    "Output": (  # noqa: SIM905
        "output pipe_format join fps slow rate codec crf target_size bitrate preset pix_fmt tune encoder_opt audio"
        " overwrite"
    ).split(),
    "Size": "scale height size max_height fit pad square_pixels skip_above crop".split(),  # noqa: SIM905
    "Quality": "deinterlace detelecine propagation lookahead horizon keyframe_interval precision repeats".split(),  # noqa: SIM905
    "Model": "model models content".split(),  # noqa: SIM905
    "Memory and device": "device hwaccel threads compile memory tile window".split(),  # noqa: SIM905
    "Cluster": "address cpus shards shard_frames warmup".split(),  # noqa: SIM905
}
"""The parameters of each group; all others belong to the group of the job."""
REST = "Job"


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups, each in the order of its options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section for each group that has any."""
        rows: dict[str, list[tuple[str, str]]] = {name: [] for name in (*GROUPS, REST)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                rows[group_of(str(param.name))].append(record)
        for name, records in rows.items():
            if records:
                with formatter.section(f"{name} options"):
                    formatter.write_dl(records)


def group_of(name: str) -> str:
    """Return the group in which a parameter is shown."""
    return next((group for group, names in GROUPS.items() if name in names), REST)
