"""PyTorch's own files of the originals' networks; skipped where PyTorch is missing."""

import os
import pickle

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from ignn_jax.models.ignn import downsample  # noqa: E402
from ignn_jax.weights.checkpoints import read_checkpoint  # noqa: E402
from ignn_jax.weights.convert import from_torch, to_torch  # noqa: E402
from ignn_jax.weights.network import load, load_with_header  # noqa: E402
from ignn_jax.weights.vgg19 import load_vgg19  # noqa: E402
from tests.checks import refusal  # noqa: E402
from tests.weights import torch_networks as originals  # noqa: E402

SCALES = (2, 3, 4)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def image(height=20, width=23):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (1, height, width, 3)).astype(np.float32)


def run_torch(network, *images):
    """Runs a network of PyTorch on NHWC images."""
    tensors = [torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in images]
    with torch.no_grad():
        return network(*tensors).numpy().transpose(0, 2, 3, 1)


def save_as_ignns_authors(network, path, *, new=True):
    """Their training program's checkpoint; the PSNR is a number of NumPy."""
    solver = torch.optim.Adam(network.parameters())
    parallel = torch.nn.DataParallel(network)
    checkpoint = {
        "epoch_idx": 80,
        "best_PSNR": np.float64(38.2),
        "best_epoch": 79,
        "net_state_dict": parallel.state_dict(),
        "solver_state_dict": solver.state_dict(),
    }
    torch.save(checkpoint, path, _use_new_zipfile_serialization=new)
    network.cpu()  # DataParallel has moved it to the GPU, if there is one


def initialize(network):
    """As the authors' program before it trains: the constants too."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, a=0, mode="fan_in")
            module.weight.data *= 0.5
            module.bias.data.zero_()


@pytest.mark.parametrize(("scale", "fresh"), [(2, False), (3, True), (4, False)])
def test_ignn_of_the_authors_program(tmp_path, scale, fresh):
    network = originals.IGNN(scale, features=4, blocks=2)
    if fresh:
        initialize(network)
    for new in (True, False):
        save_as_ignns_authors(network, tmp_path / "IGNN.pth", new=new)
        told = from_torch(tmp_path / "IGNN.pth", tmp_path / f"{new}.safetensors")
    assert f"IGNN x{scale}, as in sczhou/IGNN in net_state_dict" in told
    assert "features=4, num_blocks=2, position=1" in told
    files = [(tmp_path / f"{new}.safetensors").read_bytes() for new in (True, False)]
    assert files[0] == files[1]

    model, variables = load(tmp_path / "True.safetensors")
    lr = image()
    small = np.asarray(downsample(jax.numpy.asarray(lr), model.graph_scale))
    theirs = run_torch(network, small, lr)
    ours = jax.jit(model.apply)(variables, lr)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)

    to_torch(tmp_path / "True.safetensors", tmp_path / "back.pth")
    back = torch.load(tmp_path / "back.pth", weights_only=True)["net_state_dict"]
    again = originals.IGNN(scale, features=4, blocks=2)
    torch.nn.DataParallel(again).load_state_dict(back, strict=True)
    again.cpu()  # DataParallel puts it on a GPU if there is one
    np.testing.assert_allclose(run_torch(again, small, lr), theirs, rtol=0, atol=2e-4)
    if not fresh:
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name])


@pytest.mark.parametrize("scale", SCALES)
def test_edsr_of_its_authors(tmp_path, scale):
    network = originals.EDSR(scale, features=6, blocks=3)
    torch.save(network.state_dict(), tmp_path / "edsr.pt")
    told = from_torch(tmp_path / "edsr.pt", tmp_path / "edsr.safetensors")
    assert f"EDSR x{scale}, as in sanghyun-son/EDSR-PyTorch\n" in told
    model, variables = load(tmp_path / "edsr.safetensors")
    ours, theirs = model.apply(variables, image()), run_torch(network, image())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)

    to_torch(tmp_path / "edsr.safetensors", tmp_path / "back.pt")
    back = torch.load(tmp_path / "back.pt", weights_only=True)
    originals.EDSR(scale, features=6, blocks=3).load_state_dict(back, strict=True)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, back[name])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("key", ["params", "params_ema", None])
def test_edsr_of_basicsr(tmp_path, scale, key):
    network = originals.BasicEDSR(scale, features=6, blocks=3)
    other = originals.BasicEDSR(scale, features=6, blocks=3).state_dict()
    contents = {"params": other, key: network.state_dict()} if key else other
    torch.save(contents if key else network.state_dict(), tmp_path / "edsr.pth")
    told = from_torch(tmp_path / "edsr.pth", tmp_path / "edsr.safetensors")
    where = f" in {key}" if key else ""
    assert f"EDSR x{scale}, as in XPixelGroup/BasicSR{where}\n" in told
    model, variables, header = load_with_header(tmp_path / "edsr.safetensors")
    ours = model.apply(variables, image()) / 255
    np.testing.assert_allclose(
        ours, run_torch(network, image() / 255), rtol=0, atol=1e-6
    )

    assert header["layout"] == "basicsr"
    to_torch(tmp_path / "edsr.safetensors", tmp_path / "back.pth")
    back = torch.load(tmp_path / "back.pth", weights_only=True)["params"]
    originals.BasicEDSR(scale, features=6, blocks=3).load_state_dict(back, strict=True)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, back[name])


def test_vgg19_of_torchvision(tmp_path):
    layers = [torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3)]
    network = torch.nn.Module()
    network.features = torch.nn.Sequential(*layers)
    network.classifier = torch.nn.Linear(2, 2)
    torch.save(network.state_dict(), tmp_path / "vgg19.pth")
    told = from_torch(tmp_path / "vgg19.pth", tmp_path / "vgg19.safetensors")
    assert "VGG19 (torchvision)" in told
    for path in ("vgg19.pth", "vgg19.safetensors"):
        loaded = load_vgg19(tmp_path / path)["vgg19"]["embedding"]
        for name, layer in (("conv1_1", layers[0]), ("conv1_2", layers[2])):
            kernel = layer.weight.detach().permute(2, 3, 1, 0)
            np.testing.assert_array_equal(loaded[name]["kernel"], kernel)
            np.testing.assert_array_equal(loaded[name]["bias"], layer.bias.detach())


def test_half_precision(tmp_path):
    network = originals.EDSR(2, features=6, blocks=1)
    for dtype in (torch.float16, torch.bfloat16):
        torch.save(network.to(dtype).state_dict(), tmp_path / "half.pt")
        from_torch(tmp_path / "half.pt", tmp_path / "half.safetensors")
        _, variables = load(tmp_path / "half.safetensors")
        ours = variables["params"]["tail"]["bias"]
        np.testing.assert_array_equal(ours, network.tail[1].bias.detach().float())


class Malicious:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("new", [True, False])
def test_a_file_that_asks_for_code_is_refused(tmp_path, monkeypatch, new):
    monkeypatch.chdir(tmp_path)
    state_dict = originals.EDSR(2, features=6, blocks=1).state_dict()
    path = tmp_path / "a.pth"
    for contents in ({"params": state_dict, "epoch": Malicious()}, Malicious()):
        torch.save(contents, path, _use_new_zipfile_serialization=new)
        message = refusal(read_checkpoint, path)
        assert "asks Python for posix.system" in message
        assert not (tmp_path / "ran").exists()
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(Malicious(), protocol=protocol))
        refusal(read_checkpoint, path)
        assert not (tmp_path / "ran").exists()
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=new)
    assert "torch.nn.modules.linear.Linear" in refusal(read_checkpoint, path)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.999])
def test_a_truncated_file(tmp_path, new, left):
    path = tmp_path / "a.pth"
    state_dict = originals.EDSR(2, features=6, blocks=1).state_dict()
    torch.save(state_dict, path, _use_new_zipfile_serialization=new)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(left * len(contents))])
    assert "damaged" in refusal(read_checkpoint, path)


@pytest.mark.parametrize("contents", [{"epoch": 3}, [1, 2], {}, {"params": {}}])
def test_a_file_without_tensors(tmp_path, contents):
    torch.save(contents, tmp_path / "a.pth")
    assert "no state dict" in refusal(read_checkpoint, tmp_path / "a.pth")
