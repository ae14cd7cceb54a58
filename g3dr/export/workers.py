"""Threads that compute side by side, each with one core of its own."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch

MOST_WORKERS = 8  # each holds some hundred megabytes while it renders
GPU_WORKERS = 2  # one asks the device for work while another one works on the CPU


@contextmanager
def workers(device: torch.device) -> Iterator[Executor]:
    """Gives threads for work that falls into parts, such as the frames of a film.

    On a CPU every thread computes alone, as many as PyTorch would let work on one product together: nobody waits for the others
    after every product, which takes a third of the time, and many times as long where other programs want the same cores.

    Args:
        device: Where the parts are computed.
    """
    alone = device.type == "cpu"
    threads = torch.get_num_threads()
    count = min(MOST_WORKERS, threads) if alone else GPU_WORKERS
    pool = ThreadPoolExecutor(count, "export", *((torch.set_num_threads, (1,)) if alone else ()))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # threads that begin later take what was set last, anywhere
