"""Each published architecture beside the call of its model card, with the same random weights and
fewer layers.

The reference sides are written as the cards have them, by the libraries themselves; nothing of ours
is used there. Widths, positions, registers, activations and layer norms are those of the published
size.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
import transformers
from conftest import compose_config
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.layers import SwiGLUPacked
from timm.models.swin_transformer import checkpoint_filter_fn
from torch import Tensor, nn

from hespotex.records.build import build

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPTIMUS = ((0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SWIGLU: dict[str, Any] = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}
UNI2: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 14,
    "num_heads": 24,
    "init_values": 1e-5,
    "embed_dim": 1536,
    "mlp_ratio": 2.66667 * 2,
    "no_embed_class": True,
    "reg_tokens": 8,
    "dynamic_img_size": True,
    **SWIGLU,
}
VIRCHOW: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 5.3375,
    "dynamic_img_size": True,
    **SWIGLU,
}
H0_MINI: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 5.33334,
    "dynamic_img_size": True,
    **SWIGLU,
}
GIGAPATH: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 16,
    "init_values": 1e-5,
    "mlp_ratio": 5.33334,
}
FLASH: dict[str, Any] = {
    "img_size": 224,
    "init_values": 1e-5,
    "mlp_ratio": 2048 / 384.0,
    "global_pool": "token",
    **SWIGLU,
}
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
LUNIT = ((0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464))
# model, arguments, mean and std, output
BY_TIMM: dict[str, tuple[str, dict[str, Any], tuple[Any, Any], str]] = {
    "uni": (
        "vit_large_patch16_224",
        {"init_values": 1e-5, "dynamic_img_size": True},
        IMAGENET,
        "cls",
    ),
    "uni2": ("vit_giant_patch14_224", UNI2, IMAGENET, "cls"),
    "virchow2": ("vit_huge_patch14_224", VIRCHOW | {"reg_tokens": 4}, IMAGENET, "cls_mean"),
    "hoptimus0": (
        "vit_giant_patch14_reg4_dinov2",
        {"img_size": 224, "init_values": 1e-5},
        OPTIMUS,
        "cls",
    ),
    "h0_mini": ("vit_base_patch14_reg4_dinov2", H0_MINI, OPTIMUS, "cls"),
    "gigapath": ("vit_giant_patch14_dinov2", GIGAPATH, IMAGENET, "cls"),
    "virchow": ("vit_huge_patch14_224", VIRCHOW, IMAGENET, "cls_mean"),
    "gpfm": ("vit_large_patch14_dinov2", {"img_size": 224, "init_values": 1e-5}, IMAGENET, "cls"),
    "mstar": ("vit_large_patch16_224", {"init_values": 1e-5}, IMAGENET, "cls"),
    "kaiko_s": ("vit_small_patch16_224", {}, HALF, "cls"),
    "kaiko_b": ("vit_base_patch16_224", {}, HALF, "cls"),
    "kaiko_l": ("vit_large_patch14_reg4_dinov2", {"dynamic_img_size": True}, HALF, "cls"),
    "lunit_s8": ("vit_small_patch8_224", {}, LUNIT, "cls"),
    "dinov3": (
        "vit_large_patch16_dinov3",
        {},
        IMAGENET,
        "first",
    ),  # timm's own head takes the mean, Meta's card the class token
    "gigapath_flash": ("vit_small_patch16_224", FLASH, IMAGENET, "cls"),
    "prost40m": ("vit_small_patch16_224", {"patch_size": 14, "img_size": 224}, IMAGENET, "cls"),
}


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Two pictures of 224 px."""
    return [
        Image.fromarray(picture)
        for picture in np.random.default_rng(0).integers(0, 255, (2, 224, 224, 3), dtype=np.uint8)
    ]


def published(
    name: str, weights: Path, layers: Mapping[str, float] | None = None, **changes: Any
) -> Any:
    """The encoder of conf/encoder with these weights and as many layers (or as wide) as they
    are.
    """
    config = compose_config(
        "train",
        [f"encoder={name}", "encoder.device=cpu", f"encoder.weights={weights}"],
        Path("run"),
    )
    settings: dict[str, Any] = OmegaConf.to_container(config.encoder, resolve=True)  # type: ignore[assignment]
    settings |= {"patch_px": 224, "input_px": 224}  # also of those that want larger patches
    if layers:
        settings["model_kwargs"] |= layers
    return build(settings | changes)


def embedded(encoder: Any, pictures: list[Image.Image]) -> Tensor:
    return encoder(torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])), 0.5)


def prepared(
    pictures: list[Image.Image], mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """As the cards prepare a patch of 224 px."""
    pixels = [
        (np.asarray(picture) / 255 - np.asarray(mean)) / np.asarray(std) for picture in pictures
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float()


def shake(network: Any) -> Any:
    """Random values everywhere: positions, registers and scales that start at zero or alike would
    hide a mistake.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.05)
    return network.eval()


def save(network: Any, folder: Path) -> Path:
    path = folder / "model.safetensors"
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()},
        path,
        {"format": "pt"},
    )
    return path


@pytest.mark.parametrize("name", BY_TIMM)
def test_as_timm_computes_it(name: str, pictures: list[Image.Image], tmp_path: Path) -> None:
    architecture, kwargs, pixels, output = BY_TIMM[name]
    torch.manual_seed(0)
    network = shake(
        timm.create_model(architecture, pretrained=False, num_classes=0, depth=1, **kwargs)
    )
    with torch.inference_mode():
        tokens = network.forward_features(prepared(pictures, *pixels))
        first = tokens[:, 0] if output == "first" else network.forward_head(tokens)
    expected = (
        first
        if output != "cls_mean"
        else torch.cat([tokens[:, 0], tokens[:, network.num_prefix_tokens :].mean(1)], dim=-1)
    )
    found = embedded(published(name, save(network, tmp_path), {"depth": 1}), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


DINO: dict[str, Any] = {
    "model_type": "dinov2",
    "num_hidden_layers": 1,
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu",
}
MIDNIGHT = DINO | {
    "hidden_size": 1536,
    "num_attention_heads": 24,
    "patch_size": 14,
    "image_size": 518,
    "use_swiglu_ffn": True,
    "mlp_ratio": 4,
}
PHIKON2 = DINO | {
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "patch_size": 16,
    "image_size": 224,
    "mlp_ratio": 4,
}
HIBOU = DINO | {
    "model_type": "dinov2_with_registers",
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
    "use_swiglu_ffn": True,
    "num_register_tokens": 4,
}
HIBOU_B = HIBOU | {"hidden_size": 768, "num_attention_heads": 12}
HIBOU_PIXELS = ((0.7068, 0.5755, 0.722), (0.195, 0.2316, 0.1816))
BY_TRANSFORMERS = {
    "midnight": (MIDNIGHT, HALF, "cls_mean"),
    "phikon2": (PHIKON2, IMAGENET, "cls"),
    "hibou_l": (HIBOU, HIBOU_PIXELS, "cls"),
    "hibou_b": (HIBOU_B, HIBOU_PIXELS, "cls"),
}


@pytest.mark.parametrize("name", BY_TRANSFORMERS)
def test_as_transformers_computes_it(
    name: str, pictures: list[Image.Image], tmp_path: Path
) -> None:
    """From a folder with the hub's config and weights, by the call of the card."""
    config, pixels, output = BY_TRANSFORMERS[name]
    torch.manual_seed(0)
    known = {key: value for key, value in config.items() if key != "model_type"}
    shake(
        transformers.AutoModel.from_config(
            transformers.AutoConfig.for_model(config["model_type"], **known)
        )
    ).save_pretrained(tmp_path)
    network = transformers.AutoModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        tokens = network(prepared(pictures, *pixels)).last_hidden_state
    first = 1 + config.get("num_register_tokens", 0)
    expected = (
        tokens[:, 0]
        if output == "cls"
        else torch.cat([tokens[:, 0], tokens[:, first:].mean(1)], dim=-1)
    )
    found = embedded(published(name, tmp_path, {"num_hidden_layers": 1}), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


OWN_NAMES = {  # of transformers' network with registers, as DINOv2's own code names them
    "embeddings.cls_token": "cls_token",
    "embeddings.mask_token": "mask_token",
    "embeddings.register_tokens": "register_tokens",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "encoder.layer.0": "blocks.0",
    "attention.output.dense": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.weights_in": "mlp.w12",
    "mlp.weights_out": "mlp.w3",
    "layernorm": "norm",
}


def under_own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of one layer as DINOv2's own code names them: query, key and value in one."""
    found, parts = {}, {"weight": [], "bias": []}  # type: ignore[var-annotated]
    for key, value in state.items():
        if ".attention.attention." in key:
            parts[key.rpartition(".")[2]].append(
                (("query", "key", "value").index(key.split(".")[-2]), value)
            )
            continue
        for theirs, own in OWN_NAMES.items():
            key = key.replace(theirs, own)
        found[key] = value
    return found | {
        f"blocks.0.attn.qkv.{kind}": torch.cat([value for _, value in sorted(own)])
        for kind, own in parts.items()
    }


@pytest.mark.parametrize("form", ["bare", "teacher with heads", "blocks of blocks"])
def test_openmidnight_from_the_names_of_dinov2(
    form: str, pictures: list[Image.Image], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    small = HIBOU | {"hidden_size": 64, "num_attention_heads": 2, "mlp_ratio": 4}
    known = {key: value for key, value in small.items() if key != "model_type"}
    network = shake(
        transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**known))
    )
    with torch.inference_mode():
        expected = network(prepared(pictures, *IMAGENET)).last_hidden_state[:, 0]
    network.save_pretrained(tmp_path / "published")
    state = under_own_names(load_file(tmp_path / "published" / "model.safetensors"))
    if form == "teacher with heads":
        own = {f"backbone.{key}": value for key, value in state.items()}
        state = {"teacher": own | {"dino_head.last.weight": torch.ones(2, 2)}}  # type: ignore[dict-item]
    if form == "blocks of blocks":
        state = {key.replace("blocks.0.", "blocks.3.0."): value for key, value in state.items()}
    torch.save(state, tmp_path / "teacher_checkpoint_load.pt")
    width = {"depth": 1, "embed_dim": 64, "num_heads": 2, "mlp_ratio": 352 / 64}
    found = embedded(published("openmidnight", tmp_path, width), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "own", "reference", "changes"),
    [
        ("quiltnet", "ViT-B-32", "ViT-B-32-quickgelu", {}),
        ("quiltnet", "ViT-B-32", "ViT-B-32", {"quick_gelu": False}),
        ("omiclip", "coca_ViT-L-14", "coca_ViT-L-14", {}),
    ],
)
def test_as_open_clip_computes_it(
    name: str,
    own: str,
    reference: str,
    changes: dict[str, Any],
    pictures: list[Image.Image],
    tmp_path: Path,
) -> None:
    """With its text tower, and of the published size but for the layers."""
    settings = {"architecture": with_two_layers(own, tmp_path)} | changes
    torch.manual_seed(0)
    network = shake(open_clip.create_model(with_two_layers(reference, tmp_path)))
    with torch.inference_mode():
        expected = network.encode_image(prepared(pictures, *CLIP), normalize=False)
    torch.save(network.state_dict(), tmp_path / "weights.bin")
    found = embedded(published(name, tmp_path / "weights.bin", **settings), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def with_two_layers(architecture: str, folder: Path) -> str:
    """Name of the same architecture of open_clip with two layers in its visual tower."""
    sizes = open_clip.get_model_config(architecture)
    assert sizes is not None
    sizes["vision_cfg"]["layers"] = 2
    for other in {"text_cfg", "multimodal_cfg"} & sizes.keys():
        sizes[other]["layers"] = 1
    name = f"{architecture}-two-layers"
    (folder / f"{name}.json").write_text(json.dumps(sizes))
    open_clip.add_model_config(folder)
    return name


def test_plip_as_transformers_computes_it(pictures: list[Image.Image], tmp_path: Path) -> None:
    """From a folder with both towers, as the hub has them, by the call of the card."""
    config = transformers.CLIPConfig(
        vision_config={"num_hidden_layers": 2},
        text_config={"num_hidden_layers": 1, "vocab_size": 8},
    )
    shake(transformers.CLIPModel(config)).save_pretrained(tmp_path)
    network = transformers.CLIPModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        answer = network.get_image_features(pixel_values=prepared(pictures, *CLIP))
    expected = answer if isinstance(answer, Tensor) else answer.pooler_output
    found = embedded(published("plip", tmp_path, {"num_hidden_layers": 2}), pictures)
    assert found.shape == (2, 512)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_resnet50_as_hest_takes_it(pictures: list[Image.Image], tmp_path: Path) -> None:
    """The third of the stages as features, their mean over the patch."""
    torch.manual_seed(0)
    network = timm.create_model("resnet50", pretrained=False).eval()
    state = network.state_dict()
    reference = timm.create_model(
        "resnet50", pretrained=False, features_only=True, out_indices=[3]
    ).eval()
    beyond = ("fc.", "layer4.")
    reference.load_state_dict({k: v for k, v in state.items() if not k.startswith(beyond)})
    with torch.inference_mode():
        (features,) = reference(prepared(pictures, *IMAGENET))
    found = embedded(published("resnet50", save(network, tmp_path)), pictures)
    torch.testing.assert_close(found, features.mean((2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stored", [14, 28])
def test_conch_v1_5_as_its_authors_compute_it(
    stored: int, pictures: list[Image.Image], tmp_path: Path
) -> None:
    """By the published formula from named weights: positions resized, a query's attention."""
    torch.manual_seed(0)
    trunk = shake(
        timm.create_model("vit_large_patch16_224", num_classes=0, depth=1, init_values=1.0)
    )
    width = trunk.embed_dim
    sizes = {
        "attn_pool_contrast.query": (1, 768),
        "attn_pool_contrast.ln_k.weight": (width,),
        "attn_pool_contrast.ln_k.bias": (width,),
        "attn_pool_contrast.ln_q.weight": (768,),
        "attn_pool_contrast.ln_q.bias": (768,),
        "attn_pool_contrast.to_q.weight": (768, 768),
        "attn_pool_contrast.to_kv.weight": (2 * 768, width),
        "attn_pool_contrast.to_out.weight": (768, 768),
        "ln_contrast.weight": (768,),
        "ln_contrast.bias": (768,),
    }
    own = {name: torch.randn(size) * 0.05 for name, size in sizes.items()}
    state = {f"trunk.{name}": value for name, value in trunk.state_dict().items()} | own
    positions = torch.randn(1, 1 + stored**2, width) * 0.05
    state["trunk.pos_embed"] = positions
    torch.save(state, tmp_path / "pytorch_model_vision.bin")

    large = [picture.resize((448, 448), Image.Resampling.NEAREST) for picture in pictures]
    grid = positions[:, 1:].reshape(1, stored, stored, width).permute(0, 3, 1, 2)
    if stored == 28:
        grid = (
            timm.layers.resample_abs_pos_embed(
                positions, [14, 14], interpolation="bilinear", antialias=False
            )[:, 1:]
            .reshape(1, 14, 14, width)
            .permute(0, 3, 1, 2)
        )
    grid = nn.functional.interpolate(grid, scale_factor=(28.1 / 14, 28.1 / 14), mode="bicubic")
    with torch.inference_mode():
        tokens = trunk.patch_embed.proj(prepared(large, *IMAGENET)).flatten(2).transpose(1, 2)
        tokens = tokens + grid.flatten(2).transpose(1, 2)
        first = (trunk.cls_token + positions[:, :1]).expand(2, -1, -1)
        tokens = trunk.norm(trunk.blocks(torch.cat([first, tokens], dim=1)))
        expected = attended(tokens, {k.rpartition("pool_contrast.")[2]: v for k, v in own.items()})
    size = {"patch_px": 448, "input_px": 448}
    encoder = published("conch_v1_5", tmp_path, {"depth": 1}, **size)
    torch.testing.assert_close(embedded(encoder, large), expected, rtol=1e-4, atol=1e-5)


def attended(tokens: Tensor, own: dict[str, Tensor]) -> Tensor:
    """One query's attention with eight heads, a head at a time."""

    def normed(values: Tensor, name: str) -> Tensor:
        return nn.functional.layer_norm(
            values, values.shape[-1:], own[f"{name}.weight"], own[f"{name}.bias"]
        )

    keys, values = (normed(tokens, "ln_k") @ own["to_kv.weight"].T).chunk(2, dim=-1)
    query = normed(own["query"], "ln_q") @ own["to_q.weight"].T
    heads = []
    for at in range(0, 768, 96):
        part = slice(at, at + 96)
        share = (keys[..., part] @ query[0, part] / 96**0.5).softmax(dim=1)
        heads.append((share[..., None] * values[..., part]).sum(dim=1))
    return normed(torch.cat(heads, dim=-1) @ own["to_out.weight"].T, "ln_contrast")


@pytest.mark.parametrize("scales", ["gamma", "weight"])
def test_keep_by_its_formula(scales: str, pictures: list[Image.Image], tmp_path: Path) -> None:
    """With its text tower beside it, and the scales of the layers under either name."""
    torch.manual_seed(0)
    visual = shake(
        timm.create_model("vit_large_patch16_224", num_classes=0, depth=1, init_values=1e-5)
    )
    head = shake(nn.Sequential(nn.Linear(1024, 768), nn.GELU(), nn.Linear(768, 768)))
    with torch.inference_mode():
        expected = nn.functional.normalize(head(visual(prepared(pictures, *IMAGENET))), dim=-1)
    tower = {
        f"visual.{k}".replace(".gamma", f".{scales}"): v for k, v in visual.state_dict().items()
    }
    text = {"text.pooler.dense.bias": torch.zeros(3), "logit_scale": torch.ones(1)}
    layers = {f"visual_head.{k}": v for k, v in head.state_dict().items()}
    save_file(tower | layers | text, tmp_path / "model.safetensors")
    found = embedded(published("keep", tmp_path, {"depth": 1}), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


class Stem(nn.Sequential):
    """CTransPath's convolutions, with channels last as timm has them today."""

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.proj(pixels).permute(0, 2, 3, 1))  # type: ignore[operator]


def test_ctranspath_from_the_names_of_old_timm(pictures: list[Image.Image], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0)
    convolutions = [nn.Conv2d(3, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU()]
    convolutions += [nn.Conv2d(12, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()]
    stem = Stem()
    stem.add_module("proj", nn.Sequential(*convolutions, nn.Conv2d(24, 96, 1)))
    stem.add_module("norm", nn.LayerNorm(96))
    network.patch_embed = stem
    shake(network)
    with torch.inference_mode():
        expected = network(prepared(pictures, *IMAGENET))
    state = network.state_dict()
    old = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[2:3] == ["downsample"]:
            parts[1] = str(int(parts[1]) - 1)
        old[".".join(parts)] = value
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    old["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.long)
    again = checkpoint_filter_fn(dict(old), network)
    assert again.keys() == state.keys()  # so timm's own reader understands these names
    torch.save({"model": old}, tmp_path / "ctranspath.pth")
    found = embedded(published("ctranspath", tmp_path), pictures)
    assert found.shape == (2, 768)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_phikon_as_timm_computes_it(pictures: list[Image.Image], tmp_path: Path) -> None:
    """Its weights come from a timm network, whose layer norms add 1e-6; faint patches tell that
    from 1e-12.
    """
    torch.manual_seed(0)
    network = shake(
        timm.create_model("vit_base_patch16_224", pretrained=False, num_classes=0, depth=1)
    )
    with torch.no_grad():
        for faint in (
            network.patch_embed.proj.weight,
            network.patch_embed.proj.bias,
            network.pos_embed,
            network.cls_token,
        ):
            faint.mul_(0.02)
        expected = network(prepared(pictures, *IMAGENET))
    state = as_transformers(network.state_dict())
    save_file(
        {key: value.contiguous() for key, value in state.items()},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    found = embedded(published("phikon", tmp_path, {"num_hidden_layers": 1}), pictures)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def as_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's names of a vision transformer of one layer as the hub's file has them."""
    names = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
    }
    block = "blocks.0"
    layer = "encoder.layer.0"
    names |= {
        f"{block}.norm1": f"{layer}.layernorm_before",
        f"{block}.norm2": f"{layer}.layernorm_after",
        f"{block}.attn.proj": f"{layer}.attention.output.dense",
        f"{block}.mlp.fc1": f"{layer}.intermediate.dense",
        f"{block}.mlp.fc2": f"{layer}.output.dense",
    }
    found = {}
    for key, value in state.items():
        stem, _, kind = key.rpartition(".")
        if key in names:
            found[names[key]] = value
        elif stem == f"{block}.attn.qkv":
            for part, own in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[f"{layer}.attention.attention.{part}.{kind}"] = own
        else:
            found[f"{names[stem]}.{kind}"] = value
    return found
