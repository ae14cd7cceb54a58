"""Public diffusion models in the format of diffusers, with tiny random weights: DiT and Stable Diffusion."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from g3dr.backbones.model_folders import folder_of
from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.generator import Wish
from g3dr.diffusion.pipeline_folder import PIPELINE, read_pipeline
from g3dr.diffusion.pipelines import PipelineGenerator
from g3dr.errors import CheckpointError, ConfigError, WeightsMissingError
from orchestrator.computing.model_folders import fetched_folder

FAST = SamplingSettings(steps=3, at_once=2)


def silent(*told):
    pass


def tiny_autoencoder():
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=16,
    )


@pytest.fixture(scope="module")
def dit(tmp_path_factory):
    torch.manual_seed(0)
    transformer = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=4,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        sample_size=8,
        patch_size=2,
        norm_num_groups=4,
        num_embeds_ada_norm=1000,
    )
    folder = tmp_path_factory.mktemp("models") / "dit"
    DiTPipeline(transformer, tiny_autoencoder(), DDIMScheduler()).save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    # diffusers does not write the names that it reads; the published files have them.
    index["id2label"] = {"0": "tench, Tinca tinca", "1": "goldfish", "385": "Indian elephant"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def stable(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "stable"
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=8,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            vocab_size=520,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    pipeline = StableDiffusionPipeline(
        vae=tiny_autoencoder(),
        text_encoder=text,
        tokenizer=tokenizer(folder.with_name("words")),
        unet=unet,
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return folder


def tokenizer(folder):
    """The vocabulary of single letters."""
    folder.mkdir()
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = ["<|startoftext|>", "<|endoftext|>", *letters]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)


def test_a_class_conditional_model_draws_classes_by_name(dit):
    model = PipelineGenerator(read_pipeline(dit))
    told = []
    pictures = model.generate(Wish("goldfish"), [1, 2, 3], FAST, lambda *now: told.append(now))
    assert (model.condition, pictures.shape, pictures.dtype) == ("class", (3, 16, 16, 3), np.uint8)
    assert "Tinca tinca" in model.classes
    assert told == [(2, 9), (4, 9), (6, 9), (7, 9), (8, 9), (9, 9)]
    again = model.generate(Wish("goldfish"), [3, 1], SamplingSettings(steps=3, at_once=1), silent)
    assert np.abs(again.astype(int) - pictures[[2, 0]].astype(int)).max() <= 1
    with pytest.raises(ConfigError, match='did you mean "goldfish"'):
        model.generate(Wish("goldfisch"), [1], FAST, silent)
    with pytest.raises(ConfigError, match="negative"):
        model.generate(Wish("goldfish", "blurred"), [1], FAST, silent)


def test_a_text_conditional_model_listens_to_prompt_negative_and_guidance(stable):
    model = PipelineGenerator(read_pipeline(stable))
    assert (model.condition, model.classes) == ("text", ())
    owl, cat = (model.generate(Wish(text), [4], FAST, silent) for text in ("an owl", "a cat"))
    assert owl.shape == (1, 16, 16, 3)
    assert not np.array_equal(owl, cat)
    assert not np.array_equal(owl, model.generate(Wish("an owl", "fog"), [4], FAST, silent))
    assert not np.array_equal(owl, model.generate(Wish("an owl"), [4], SamplingSettings(steps=3, guidance=1.0), silent))
    assert np.array_equal(owl, model.generate(Wish("an owl"), [4], FAST, silent))


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_the_sampler_can_be_chosen_and_is_forgotten_afterwards(stable, sampler):
    model = PipelineGenerator(read_pipeline(stable))
    own = model.generate(Wish("an owl"), [4], FAST, silent)
    other = model.generate(Wish("an owl"), [4], SamplingSettings(steps=3, sampler=sampler), silent)
    assert other.shape == own.shape
    assert np.array_equal(own, model.generate(Wish("an owl"), [4], FAST, silent))


def test_the_identity_is_that_of_the_content_wherever_it_lies(dit, stable, tmp_path):
    copy = shutil.copytree(dit, tmp_path / "elsewhere")
    assert read_pipeline(copy).fingerprint == read_pipeline(dit).fingerprint
    (copy / "README.md").write_text("a word")
    assert read_pipeline(copy).fingerprint == read_pipeline(dit).fingerprint
    (copy / "scheduler" / "scheduler_config.json").write_text("{}")
    assert read_pipeline(copy).fingerprint != read_pipeline(dit).fingerprint
    assert PipelineGenerator(read_pipeline(dit)).identity()["pipeline"] == "DiTPipeline"


def test_a_model_in_object_storage_is_fetched_once(dit, tmp_path, monkeypatch):
    monkeypatch.setenv("G3DR_CACHE", str(tmp_path / "cache"))
    folder = fetched_folder(f"file://{dit}", PIPELINE)
    assert folder.is_relative_to(tmp_path)
    assert read_pipeline(folder) == read_pipeline(folder)
    assert read_pipeline(folder).fingerprint == read_pipeline(dit).fingerprint
    with pytest.raises(WeightsMissingError, match=r"no diffusion model here; expected model_index\.json"):
        fetched_folder(f"file://{tmp_path}/cache/nothing", PIPELINE)


def test_what_is_missing_is_named_with_what_to_do(dit, tmp_path):
    with pytest.raises(WeightsMissingError, match=r"someone/some-dit is not on this machine: fetch its files.*G3DR_ALLOW_DOWNLOAD=1"):
        folder_of("someone/some-dit", PIPELINE)
    with pytest.raises(WeightsMissingError, match=r"no such folder; a diffusion model is a folder with model_index\.json"):
        folder_of("./nowhere", PIPELINE)
    copy = shutil.copytree(dit, tmp_path / "pickled")
    weights = next((copy / "vae").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(WeightsMissingError, match=r"part vae has no \*.safetensors \(pickled weights are not opened"):
        read_pipeline(copy)
    shutil.rmtree(copy / "vae")
    with pytest.raises(WeightsMissingError, match="names the part vae, but there is no such folder"):
        read_pipeline(copy)


def test_code_that_comes_with_a_model_is_never_run(dit, tmp_path):
    copy = shutil.copytree(dit, tmp_path / "foreign")
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "_class_name": ["pipeline", "Evil"]}))
    with pytest.raises(CheckpointError, match="code that comes with a model is not run"):
        read_pipeline(copy)
    (copy / "model_index.json").write_text(json.dumps({**index, "_class_name": "NoSuchPipeline"}))
    with pytest.raises(CheckpointError, match="no pipeline called NoSuchPipeline"):
        PipelineGenerator(read_pipeline(copy))
    (copy / "model_index.json").write_text("[")
    with pytest.raises(CheckpointError, match="not the index of a diffusion model"):
        read_pipeline(copy)


def test_damaged_weights_are_a_sentence(dit, tmp_path):
    copy = shutil.copytree(dit, tmp_path / "damaged")
    next((copy / "vae").glob("*.safetensors")).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="not a diffusion model that diffusers can load"):
        PipelineGenerator(read_pipeline(copy))
