"""The read DMA's timing is common: `golden.axi`."""

from golden.axi import *  # noqa: F403
