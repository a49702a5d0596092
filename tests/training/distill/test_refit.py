"""IconVSR's trunk learns BasicVSR's output."""

import torch

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.training.distill.refit import feature_loss
from vsrcli.training.loop.warm import reuse_weights
from vsrcli.training.losses import l2


def test_feature_loss_is_the_distance_to_basicvsrs_output() -> None:
    torch.manual_seed(0)
    teacher, student = BasicVSR(channels=4, blocks=1), IconVSR(channels=4, blocks=1, keyframe_interval=0)
    reuse_weights(student, teacher.state_dict())
    clip = torch.rand(1, 3, 3, 32, 32)
    loss = feature_loss(student, teacher, clip, l2)
    loss.backward()
    gradient = student.get_parameter("forward_trunk.main.0.weight").grad
    assert loss > 0 and gradient is not None and gradient.abs().max() > 0
    with torch.no_grad():  # a fusion that only rectifies the forward feature, and a forward feature that needs none
        for trunk in (teacher.forward_trunk, student.forward_trunk):
            trunk.get_parameter("main.0.bias").add_(100)
        teacher.fusion.weight.copy_(torch.cat([torch.zeros(4, 4), torch.eye(4)], 1)[..., None, None])
        teacher.get_parameter("fusion.bias").zero_()
        student.upconv1.load_state_dict(teacher.upconv1.state_dict())
        assert feature_loss(student, teacher, clip, l2) < 1e-6
        torch.testing.assert_close(student(clip), teacher(clip), atol=1e-3, rtol=1e-3)
