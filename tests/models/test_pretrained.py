"""Checkpoints of every shape open, wrong ones say what is wrong, and saving loses nothing."""

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import ptm_explore as ptm
from ptm_explore.model import Model
from ptm_explore.models import pretrained
from ptm_explore.models.albert import AlbertConfig
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.electra import ElectraConfig
from ptm_explore.models.recipes import FAMILIES, build, count_parameters, recipe

CONFIG = transformers.BertConfig(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=16,
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    transformers.BertForPreTraining(CONFIG).eval().save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def hidden(folder):
    return ptm.load(folder)(torch.arange(12).view(2, 6)).hidden


def test_sharded_and_legacy_files_open_the_same(folder, tmp_path):
    expected = hidden(folder)
    reference = transformers.BertForPreTraining.from_pretrained(folder)
    reference.save_pretrained(tmp_path / "sharded", max_shard_size="10KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    torch.testing.assert_close(hidden(tmp_path / "sharded"), expected)
    (tmp_path / "legacy").mkdir()
    shutil.copy(folder / "config.json", tmp_path / "legacy")
    torch.save(reference.state_dict(), tmp_path / "legacy" / "pytorch_model.bin")
    torch.testing.assert_close(hidden(tmp_path / "legacy"), expected)


def test_shards_of_two_checkpoints_are_told_apart(folder, tmp_path):
    reference = transformers.BertForPreTraining.from_pretrained(folder)
    for name, size in (("one", "10KB"), ("two", "20KB")):
        reference.save_pretrained(tmp_path / name, max_shard_size=size)
    index = json.loads((tmp_path / "one" / "model.safetensors.index.json").read_text())
    some = sorted(set(index["weight_map"].values()))[1]
    other = sorted((tmp_path / "two").glob("*.safetensors"))[2]
    shutil.copy(other, tmp_path / "one" / some)
    with pytest.raises(ptm.PtmError, match=f"{some}.*two checkpoints"):
        ptm.load(tmp_path / "one")


def test_old_names_and_buffers_are_understood(folder):
    tensors = load_file(folder / "model.safetensors")
    old = {
        n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
        for n, t in tensors.items()
    }
    old["bert.embeddings.position_ids"] = torch.arange(16)[None]
    old["cls.predictions.decoder.bias"] = old["cls.predictions.bias"].clone()
    expected = hidden(folder)
    save_file(old, folder / "model.safetensors")
    torch.testing.assert_close(hidden(folder), expected)


def test_gpt2_of_the_hub_has_no_prefix_and_carries_its_mask(tmp_path):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=50, n_embd=24, n_layer=2, n_head=3, n_positions=16, bos_token_id=0, eos_token_id=0
    )
    reference = transformers.GPT2LMHeadModel(config).eval()
    reference.save_pretrained(tmp_path)
    tensors = {
        n.removeprefix("transformer."): t for n, t in load_file(tmp_path / "model.safetensors").items()
    }
    tensors |= {f"h.{i}.attn.bias": torch.ones(1, 1, 16, 16).tril() for i in range(2)}
    save_file(tensors, tmp_path / "model.safetensors")
    ids = torch.arange(10).view(2, 5)
    torch.testing.assert_close(ptm.load(tmp_path)(ids).logits, reference(ids).logits)


def test_a_pickle_that_runs_code_is_refused(folder):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    (folder / "model.safetensors").unlink()
    torch.save({"a": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(ptm.PtmError, match="cannot be read"):
        ptm.load(folder)


def test_every_wrong_weight_is_named_at_once(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.bias"]
    tensors["bert.encoder.layer.7.output.dense.bias"] = torch.zeros(3)
    tensors["bert.pooler.dense.bias"] = torch.zeros(7)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ptm.PtmError) as error:
        ptm.load(folder)
    for part in (
        "missing: bert.encoder.layer.1.output.dense.bias",
        "layer.7.output.dense.bias",
        "pooler.dense.bias is (7,)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "t5"}, "t5"),
        ({"hidden_act": "swish"}, "swish"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
    ],
)
def test_configs_that_are_not_built_are_refused(folder, change, message):
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ptm.PtmError, match=message):
        ptm.load(folder)


def test_folders_that_are_no_checkpoints(folder, tmp_path):
    with pytest.raises(ptm.PtmError, match=r"config\.json"):
        ptm.load(tmp_path)
    with pytest.raises(ptm.PtmError, match="no folder"):
        ptm.load(tmp_path / "nowhere" / "at" / "all")
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ptm.PtmError, match="complete"):
        ptm.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ptm.PtmError, match="no weights"):
        ptm.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ptm.PtmError, match="JSON"):
        ptm.load(folder)


def test_hub_ids_are_read_from_the_local_cache(folder, tmp_path, monkeypatch):
    """The layout of the hub's cache, filled by hand; no network."""
    repo = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(folder, repo / "snapshots" / "abc123")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(
        "huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert ptm.load("someone/tiny").config.d_model == 24
    with pytest.raises(ptm.PtmError, match="local cache"):
        ptm.load("someone/else")


def test_a_checkpoint_without_a_tokenizer_opens(folder):
    model = ptm.load(folder)
    assert model(torch.zeros(1, 3, dtype=torch.long)).logits.shape == (1, 3, 50)
    with pytest.raises(ptm.PtmError, match="tokenizer"):
        model.encode("text")


def test_save_and_load_keep_everything(tmp_path):
    net = build("bert", BertConfig(50, 24, 2, 3, 40, 16), ("mlm",), seed=0)
    model = Model(net, history=[{"step": 1, "loss": 2.0}], card={"corpus": "x"})
    model.save(tmp_path / "m")
    again = ptm.load(tmp_path / "m")
    assert (again.history, again.card, again.net.heads) == (model.history, model.card, ("mlm",))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name])


def test_a_failed_save_leaves_the_old_model(tmp_path, monkeypatch):
    net = build("bert", BertConfig(50, 24, 2, 3, 40, 16), ("mlm",), seed=0)
    Model(net).save(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    other = build("bert", BertConfig(50, 24, 2, 3, 40, 16), ("mlm",), seed=1)
    with pytest.raises(ptm.PtmError, match="untouched"):
        Model(other).save(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_written_config_is_read_back(tmp_path):
    config = BertConfig(50, 24, 2, 3, 40, 16, activation="gelu_tanh", dropout=0.3, n_segments=4)
    pretrained.write(build("bert", config, ("mlm",), seed=0), tmp_path)
    assert ptm.load(tmp_path).config == config


@pytest.mark.parametrize("family", FAMILIES)
def test_every_mini_is_saved_and_read_back(family, tmp_path):
    r = recipe(f"{family}-mini", vocab_size=50, d_model=32, d_ff=24, max_len=16)
    model = Model(r.build(seed=0), recipe=r)
    model.save(tmp_path)
    again = ptm.load(tmp_path)
    assert again.config == r.config
    assert again.net.heads == r.heads
    assert again.family == family
    for name, tensor in model.net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name]), name


@pytest.mark.parametrize("share", ["all", "attention", "ffn", "none"])
def test_albert_saves_what_the_layout_can_say_and_the_rest_beside_it(share, tmp_path):
    """transformers knows groups only: it opens partly shared layers as unshared ones, of the same
    function."""
    config = AlbertConfig(50, 24, 3, 3, 40, 16, d_embedding=10, share=share)
    net = build("albert", config, ("mlm", "pair"), seed=0).eval()
    Model(net).save(tmp_path)
    again = ptm.load(tmp_path)
    assert (again.config.share, again.config.n_sets) == (share, config.n_sets)
    assert again.parameters == count_parameters(net)
    reference = transformers.AlbertForPreTraining.from_pretrained(tmp_path)
    ids = torch.arange(12).view(2, 6)
    torch.testing.assert_close(reference(ids).prediction_logits, net(ids).logits)


@pytest.mark.parametrize("tied", [True, False])
def test_electra_saves_both_parts_and_transformers_opens_each(tied, tmp_path):
    config = ElectraConfig(50, 24, 2, 3, 42, 16, d_embedding=10, generator_size=1 / 3, tied=tied)
    net = build("electra", config, ("rtd", "generator"), seed=0).eval()
    Model(net).save(tmp_path)
    again = ptm.load(tmp_path).net
    assert again.config == config
    ids = torch.arange(12).view(2, 6)
    torch.testing.assert_close(again.propose(ids).logits, net.propose(ids).logits)
    judge = transformers.ElectraForPreTraining.from_pretrained(tmp_path)
    torch.testing.assert_close(judge(ids).logits, net(ids).replaced_logits)
    writer = transformers.ElectraForMaskedLM.from_pretrained(tmp_path / "generator")
    torch.testing.assert_close(writer(ids).logits, net.propose(ids).logits)
    assert ptm.load(tmp_path / "generator").net.heads == ("mlm",)
