"""Energy of the detail in a result that its LR frame cannot hold: what grows when a recurrent net runs away.

Detail is the HR frame minus its own reduced and enlarged self. Comparing the reduced HR frame with the LR frame does
not see a picture full of worms, for these lie in the band that is lost when it is reduced.
"""

import torch.nn.functional as F
from torch import Tensor


def detail_energy(hr: Tensor, scale: int) -> Tensor:
    """Return the mean squared detail above the LR band: (..., 3, s*h, s*w) in [0, 1] -> (...), in levels squared.

    R, G and B are averaged, so that one plane is enough. It is reduced by area means, and these are enlarged
    bilinearly. Sides that are no multiple of `scale` (a model's factor) lose their last rows and columns. Where a frame
    is not finite, neither is its energy. The arithmetic is in float32 whatever the type of the frames.
    """
    height, width = (side // scale * scale for side in hr.shape[-2:])
    grey = hr[..., :height, :width].float().mean(-3).view(-1, 1, height, width)
    low = F.interpolate(F.avg_pool2d(grey, scale), size=(height, width), mode="bilinear", align_corners=False)
    return (grey - low).square_().flatten(1).mean(1).mul_(255**2).view(hr.shape[:-3])
