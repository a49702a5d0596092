"""Energy of the detail in a result above the band of its LR frame: it grows when a recurrent net diverges.

Detail is the HR frame minus its downscaled and upscaled version. Comparing the downscaled HR frame with the LR frame
does not show such artifacts, because downscaling removes their band.
"""

import torch.nn.functional as F
from torch import Tensor


def detail_energy(hr: Tensor, scale: int) -> Tensor:
    """Return the mean squared detail above the LR band: (..., 3, s*h, s*w) in [0, 1] to (...), in levels squared.

    R, G and B are averaged, so that one plane is enough. It is downscaled by area means, which are upscaled bilinearly.
    The last rows and columns beyond a multiple of `scale` (a model's factor) are ignored. If a frame is not finite, its
    energy is not either. The arithmetic is in float32 for all types of frames.
    """
    height, width = (side // scale * scale for side in hr.shape[-2:])
    grey = hr[..., :height, :width].float().mean(-3).view(-1, 1, height, width)
    low = F.interpolate(F.avg_pool2d(grey, scale), size=(height, width), mode="bilinear", align_corners=False)
    return (grey - low).square_().flatten(1).mean(1).mul_(255**2).view(hr.shape[:-3])
