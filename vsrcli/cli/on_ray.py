"""`vsr upscale --ray`: run a job or a batch in shards on a Ray cluster."""

from typing import Any

from vsrcli.cli.messages import full
from vsrcli.errors import OutputExistsError, VsrError
from vsrcli.pipeline.options import Options
from vsrcli.shards.options import ShardOptions


def upscale_on_ray(
    found: tuple[list[Any], bool], options: Options, asked: ShardOptions, address: str, cpus: int, display: Any
) -> list[dict[str, Any]]:
    """Upscale the items of `items_of` on the cluster at an address, with one queue for all shards.

    Returns a report for each. Of several inputs, one that fails does not stop the others. Existing results are kept.
    """
    from vsrcli.cli.upscale import advised
    from vsrcli.pipeline.ahead.report import result_report
    from vsrcli.shards.joining import join, lacking_error
    from vsrcli.shards.making import make_plan
    from vsrcli.shards.ray_driver import cluster, load_ray, run_on_ray
    from vsrcli.zoo.loading import Loader

    load_ray()
    items, named = found
    reports: list[dict[str, Any]] = []

    def failed(item: Any, error: VsrError) -> None:
        if isinstance(error, OutputExistsError):
            display.line(f"{error.path} is there already: skipped")
            reports.append({"status": "skipped", "input": str(item.source), "output": str(error.path)})
        else:
            display.line(f"{item.source} failed: {full(error)}")
            reports.append({"status": "failed", "input": str(item.source), "error": full(error)})

    tell = failed if len(items) > 1 else None
    with display.job("plan"):
        any_cut = asked == ShardOptions()
        plan = make_plan(items, options, asked, display.event, named=named, failed=tell, any_cut=any_cut)
    if not plan.sources:
        return reports
    with cluster(address) as ray, display.job("shards"):
        lacking = run_on_ray(ray, plan, display.event, cpus=cpus)
    load = Loader()
    for source in plan.sources:
        lost = [one for one in lacking if one.place.source is source]
        for one in lost:
            display.line(f"failed: {one}", style="red", always=True)
        try:
            if lost:
                raise lacking_error(plan, lost)
            with display.job(source.input.name):
                result = join(plan, source, display.event, load=load)
            if isinstance(result, list):
                raise lacking_error(plan, result)
        except VsrError as error:
            if len(items) == 1:
                raise
            reports.append({"status": "failed", "input": str(source.input), "error": full(error)})
            continue
        reports.append(advised(result_report(result)))
        display.result(reports[-1])
    return reports
