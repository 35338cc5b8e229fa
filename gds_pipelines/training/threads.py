"""The processor threads that training may take."""

from __future__ import annotations

import torch


def use_threads(count: int | None) -> None:
    """Set the CPU threads of torch, numba and the BLAS of numpy; None keeps what is set.

    Threads of a BLAS that has more than it is given cores for spin while they wait: on a busy machine a model
    of many small products took ten times its processor time.
    """
    if count is None:
        return
    import numba
    import threadpoolctl

    # numba first: as it starts its threads it sets the number of all OpenMP, torch's as well.
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count, user_api="blas")
