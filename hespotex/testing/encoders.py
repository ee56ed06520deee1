"""What an encoder of patches, and a counter of nuclei, must do."""

import numpy as np
import torch
from torch import Tensor

from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.sections.section import Section
from hespotex.testing.expect import expect, expect_plain

N = 4  # patches


def check_encoder(encoder: Encoder, mpp: float = 0.5) -> None:
    """Hand it drawn patches, white ones among them.

    Args:
        encoder: as the program gets it.
        mpp: um per px of the patches.

    Raises:
        AssertionError: settings, shape or numbers that the program cannot use, or an output that
          depends on the batch.
    """
    expect_plain(encoder.identity(), "identity")
    expect(encoder.identity() == encoder.identity(), "identity: another answer the second time")
    expect(encoder.batch_size >= 1, f"batch_size: expected 1 or more, got {encoder.batch_size}")
    sizes = list(encoder.patch_um)
    expect(bool(sizes) and min(sizes) > 0, f"patch_um: expected sizes in um, got {sizes}")
    patches = _patches(encoder.patch_px)
    together = _encoded(encoder, patches, mpp)
    shape = tuple(together.shape)
    expect(together.ndim == 2 and len(together) == N, f"expected ({N}, d) numbers, found {shape}")
    expect(bool(together.isfinite().all()), "a number is NaN or infinite; one patch is white")
    alone = torch.cat([_encoded(encoder, patch[None], mpp) for patch in patches])
    close = torch.allclose(alone, together, rtol=1e-3, atol=1e-4)
    expect(close, "a patch gets other numbers alone than beside others: is it in eval mode?")
    again = _encoded(encoder, patches, mpp)
    expect(torch.equal(again, together), "other numbers the second time")


def _patches(px: int) -> Tensor:
    values = np.random.default_rng(0).integers(0, 256, (N, px, px, 3), dtype=np.uint8)
    values[-1] = 255
    return torch.from_numpy(values)


@torch.no_grad()
def _encoded(encoder: Encoder, patches: Tensor, mpp: float) -> Tensor:
    return encoder(patches, mpp).float().cpu()


def check_counter(counter: NucleiCounter, section: Section) -> None:
    """Let it count at the spots of a section.

    Raises:
        AssertionError: no count for each spot, or another the second time.
    """
    expect_plain(counter.identity(section), "identity")
    counts = np.asarray(counter(section))
    n = len(section.adata)
    expect(counts.shape == (n,), f"expected ({n},) counts, found {counts.shape}")
    expect(bool(np.isfinite(counts).all() and (counts >= 0).all()), "expected counts from 0")
    expect(np.array_equal(counts, counter(section)), "other counts the second time")
