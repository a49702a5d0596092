"""Run measurements one after the other, each in a new process, so that memory and threads are not shared."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

from vsrcli.bench.case import Case, Measurement
from vsrcli.errors import Reason, VsrError


def benchmark(
    cases: Sequence[Case],
    progress: Callable[[Case, str], None],
    measured: Callable[[Measurement], None] = lambda one: None,
) -> list[Measurement]:
    """Measure all cases in order. Raises as `measure` does.

    `progress` is called with each step, `measured` with each case that is done, whose fields that depend on other
    cases are still its own. The speedup refers to the first case. The peak rate of a precision, with as many threads,
    is the highest one measured in it.
    """
    found = []
    for case in cases:
        found.append(in_fresh_process(case, partial(progress, case)))
        measured(found[-1])
    return list(related(found))


def related(found: Sequence[Measurement]) -> Iterator[Measurement]:
    """Yield the measurements with the fields that depend on others: speedup and the share of the common peak."""
    for one in found:
        gemm = max(
            other.gemm_gflops for other in found if (other.precision, other.threads) == (one.precision, one.threads)
        )
        yield replace(one, speedup=one.fps / found[0].fps, gemm_gflops=gemm, gemm_share=one.gflops / gemm)


def in_fresh_process(case: Case, progress: Callable[[str], None]) -> Measurement:
    """Return `measure(case, progress)` of a new process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, case), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            kind, value = ours.recv()
            if kind == "result":
                return cast(Measurement, value)
            if kind == "error":
                raise value
            progress(value)
    except EOFError:
        process.join()
        why = "probably out of memory" if process.exitcode == -9 else f"exit code {process.exitcode}"
        raise VsrError(f"{case.model}: the measuring process died ({why})", Reason.PROCESS_DIED) from None
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, case: Case) -> None:
    """Measure in the new process and send results, progress and errors."""
    try:
        from vsrcli.bench.measure import measure

        pipe.send(("result", measure(case, lambda text: pipe.send(("progress", text)))))
    except KeyboardInterrupt:
        pass  # the parent got it too, and says so
    except VsrError as error:
        pipe.send(("error", error))
    except Exception as error:
        pipe.send(("error", RuntimeError(f"{case.model}: {error}\n{traceback.format_exc()}")))
