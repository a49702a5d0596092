"""Runs measurements one after the other, each in a fresh process, so that none inherits another's memory or threads."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

from vsrcli.bench.case import Case, Measurement
from vsrcli.errors import Reason, VsrError


def benchmark(cases: Sequence[Case], progress: Callable[[Case, str], None]) -> list[Measurement]:
    """Measure all cases, in order. `progress` hears what is being done. Raises what `measure` raises.

    The speedup refers to the first; the peak of a precision is the highest that was seen in it.
    """
    return list(related([in_fresh_process(case, partial(progress, case)) for case in cases]))


def related(found: Sequence[Measurement]) -> Iterator[Measurement]:
    """The measurements with what depends on the others: speedup and the share of the common peak."""
    for one in found:
        gemm = max(other.gemm_gflops for other in found if other.precision == one.precision)
        yield replace(one, speedup=one.fps / found[0].fps, gemm_gflops=gemm, gemm_share=one.gflops / gemm)


def in_fresh_process(case: Case, progress: Callable[[str], None]) -> Measurement:
    """`measure(case, progress)` in a new process."""
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
    """In the new process: measure and send what happens."""
    try:
        from vsrcli.bench.measure import measure

        pipe.send(("result", measure(case, lambda text: pipe.send(("progress", text)))))
    except KeyboardInterrupt:
        pass  # the parent got it too, and says so
    except VsrError as error:
        pipe.send(("error", error))
    except Exception as error:
        pipe.send(("error", RuntimeError(f"{case.model}: {error}\n{traceback.format_exc()}")))
