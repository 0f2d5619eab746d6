"""SentencePiece models, read beside SentencePiece itself."""

import io

import pytest

from ptm_explore.errors import PtmError
from ptm_explore.text.tokenizers import Tokenizer
from tests import tiny

sentencepiece = pytest.importorskip("sentencepiece")
TEXTS = [*tiny.documents(3, seed=9), "ＡＢＣ anna’s  old\tboat…", "The ﬁrst river, Ⅻ boats; a zebra?"]
# as the published models were trained
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": "[CLS],[SEP],[MASK]"}
ALBERT |= {"user_defined_symbols": '(,),",-,.,–,£,€'}
XLNET = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "control_symbols": "<cls>,<sep>,<pad>,<mask>,<eod>"}
XLNET |= {"user_defined_symbols": '<eop>,.,(,),",-,–,£,€'}


def trained(folder, texts=None, kind="unigram", **options):
    """A spiece.model in the folder, and SentencePiece's own processor of it."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts or tiny.documents(400)),
        model_writer=written,
        vocab_size=100,
        model_type=kind,
        minloglevel=2,
        **options,
    )
    (folder / "spiece.model").write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


@pytest.mark.parametrize("options", [ALBERT, XLNET], ids=["albert", "xlnet"])
def test_cuts_as_sentencepiece_does(options, tmp_path):
    lower = options is ALBERT
    theirs, ours = trained(tmp_path, **options), Tokenizer.load(tmp_path)
    assert ours.vocab_size == theirs.vocab_size()
    assert ours.vocabulary == [theirs.id_to_piece(i) for i in range(theirs.vocab_size())]
    for text in TEXTS:
        expected = theirs.encode(text.lower() if lower else text)
        assert ours.ids([text])[0] == expected, text


def test_frames_texts_as_the_family_does(tmp_path):
    trained(tmp_path, **ALBERT)
    tokens = Tokenizer.load(tmp_path).encode("Anna runs.").tokens[0]
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    trained(tmp_path, **XLNET)
    assert Tokenizer.load(tmp_path).encode("Anna runs.").tokens[0][-2:] == ["<sep>", "<cls>"]


@pytest.mark.parametrize("options", [ALBERT, XLNET], ids=["albert", "xlnet"])
def test_saved_again_it_is_the_same(options, tmp_path):
    trained(tmp_path, **options)
    first = Tokenizer.load(tmp_path)
    first.save(tmp_path / "again")
    again = Tokenizer.load(tmp_path / "again")
    assert [again.ids([text]) for text in TEXTS] == [first.ids([text]) for text in TEXTS]
    assert again.mask_id == first.mask_id


def test_what_cannot_be_read_is_said(tmp_path):
    trained(tmp_path, kind="bpe", **ALBERT)
    with pytest.raises(PtmError, match="only unigram models"):
        Tokenizer.load(tmp_path)
    whole = trained(tmp_path, **ALBERT).serialized_model_proto()
    (tmp_path / "spiece.model").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PtmError, match="cannot read the tokenizer"):
        Tokenizer.load(tmp_path)
