"""A checker of English that knows nothing of how the generated world makes its sentences: it reads the
annotation alone (form, lemma, word class, head, relation) and names what is wrong."""

from collections.abc import Callable, Iterator

from ptm_explore.text.world.grammar import Word
from ptm_explore.text.world.lexicon import lexicon

Words = tuple[Word, ...]
PLURAL_DETERMINERS = {"all", "some", "many", "most", "few", "both", "several", "these", "those", "any"}
SINGULAR_DETERMINERS = {"a", "an", "every", "each", "this", "that", "one"}
SUBJECT_FORMS = {"i", "he", "she", "we", "they"}
OBJECT_FORMS = {"me", "him", "us", "them"}  # "her" may be a possessive, "you" and "it" are both
SELVES = {"herself": "f", "himself": "m", "itself": "n", "themselves": "p", "myself": "1", "yourself": "2"}
MEN = {"boy", "king", "uncle", "butler", "fisherman", "prince", "monk"}
INTRANSITIVE = {"sleep", "rest", "work", "wait", "stand", "wave", "cough"}
TRANSITIVE = {
    *("find", "discover", "notice", "spot", "buy", "see", "mend", "repair", "fix"),
    *("paint", "carve", "clean", "count", "examine", "weigh"),
}
LICENSERS = {"no", "not", "never", "nobody", "nothing", "few"}


def faults(words: Words) -> set[str]:
    return {kind for kind, check in CHECKS.items() if check(words)}


def low(word: Word) -> str:
    return word.form.lower()


def below(head: Word, words: Words, *relations: str) -> list[Word]:
    return [w for w in words if w.head is head and (not relations or w.relation in relations)]


def subject_of(verb: Word, words: Words) -> Word | None:
    found = below(verb, words, "nsubj", "nsubj:pass")
    return found[0] if found else None


def number(subject: Word, words: Words) -> str:
    """Plural or singular, from the words under the subject alone."""
    if any(low(w) == "and" for w in words if w.tag == "CCONJ" and w.head.head is subject):
        return "plural"
    if subject.tag == "PRON":
        form = low(subject)
        return "plural" if form in ("they", "we", "you") else "first" if form == "i" else "singular"
    if subject.tag == "PROPN" or lexicon().is_mass(subject.lemma):
        return "singular"
    if lexicon().plural(subject.lemma) == subject.lemma:
        # sheep: what counts them tells, else only the verb
        if any(
            low(w) in PLURAL_DETERMINERS or w.tag == "NUM" for w in below(subject, words, "det", "nummod")
        ):
            return "singular" if any(low(w) == "one" for w in below(subject, words)) else "plural"
        finite = next((w for w in words if w.head is subject.head and w.relation == "aux"), subject.head)
        third = {"is", "was", "has", "does", lexicon().verb(finite.lemma)[1]}
        return "singular" if low(finite) in third else "plural"
    return "plural" if low(subject) != subject.lemma else "singular"


def disagreements(words: Words) -> tuple[list[str], int]:
    """Finite verbs that do not fit their subject, and how often a noun of the other number stood between."""
    wrong, attractors = [], 0
    for subject in words:
        if subject.relation not in ("nsubj", "nsubj:pass"):
            continue
        verb = subject.head
        chain = [*below(verb, words, "aux"), verb]
        form, lemma, kind = low(chain[0]), chain[0].lemma, number(subject, words)
        wrong_forms = {
            "singular": {"were", "are", "am", "have", "do"},
            "first": {"were", "are", "is", "has", "does"},
            "plural": {"was", "is", "am", "has", "does"},
        }[kind]
        base, third, past, *_ = lexicon().verb(lemma)
        if lemma not in ("be", "have", "do") and chain[0].tag == "VERB" and form != past:
            wrong += [form] * ((form == third) != (kind == "singular") or form not in (base, third))
        wrong += [form] * (form in wrong_forms)
        a, b = words.index(subject), words.index(chain[0])
        attractors += any(w.tag == "NOUN" and number(w, words) != kind for w in words[a + 1 : b])
    return wrong, attractors


def agreement(words: Words) -> bool:
    """A verb that does not fit its subject; the verb of a relative clause fits what the clause describes."""
    wrong, _ = disagreements(words)
    return bool(wrong)


def determiner(words: Words) -> bool:
    """These boat; every boats; two boat."""
    for noun in words:
        if noun.tag != "NOUN" or lexicon().plural(noun.lemma) == noun.lemma:
            continue
        plural = low(noun) != noun.lemma
        for w in below(noun, words, "det", "nummod"):
            one = low(w) in SINGULAR_DETERMINERS
            many = low(w) in PLURAL_DETERMINERS - {"any", "some"} or (w.tag == "NUM" and not one)
            if (one and plural) or (many and not plural):
                return True
    return False


def reflexive(words: Words) -> bool:
    """A -self that its clause's subject does not fit."""
    for word in words:
        if low(word) not in SELVES or (subject := subject_of(word.head, words)) is None:
            continue
        if SELVES[low(word)] != kind_of(subject, words):
            return True
    return False


def kind_of(subject: Word, words: Words) -> str:
    """f, m, n, p (plural), 1 or 2."""
    if subject.tag == "PRON":
        form = low(subject)
        return {"she": "f", "he": "m", "it": "n", "they": "p", "i": "1", "you": "2"}.get(form, "?")
    if number(subject, words) == "plural":
        return "p"
    if subject.form in lexicon().lists["women"]:
        return "f"
    return "m" if subject.form in lexicon().lists["men"] or subject.lemma in MEN else "n"


def case(words: Words) -> bool:
    """Her greeted Tom; Tom greeted she."""
    for word in words:
        if word.tag != "PRON":
            continue
        if low(word) in OBJECT_FORMS | {"her"} and word.relation in ("nsubj", "nsubj:pass"):
            return True
        if low(word) in SUBJECT_FORMS and word.relation in ("obj", "iobj", "obl"):
            return True
    return False


def tense(words: Words) -> bool:
    """Yesterday she will; tomorrow she was."""
    for word in words:
        if word.relation != "advmod" or low(word) not in ("yesterday", "tomorrow"):
            continue
        chain = [*below(word.head, words, "aux"), word.head]
        past = low(chain[0]) in ("was", "were", "had", "did", lexicon().verb(chain[0].lemma)[2])
        if past != (low(word) == "yesterday"):
            return True
    return False


def polarity(words: Words) -> bool:
    """An "any" that nothing negative commands: what denies stands in the verb's clause or its subject."""
    for word in words:
        if low(word) != "any":
            continue
        verb = word.head
        while verb.tag != "VERB":
            verb = verb.head
        subject = subject_of(verb, words)
        near = [*below(verb, words), *(below(subject, words, "det") if subject else ())]
        asked = words[-1].form == "?"
        if not asked and not any(low(w) in LICENSERS for w in near):
            return True
    return False


def objects(verb: Word, words: Words) -> list[Word]:
    return below(verb, words, "obj")


def valency(words: Words) -> bool:
    """A thing that is slept; a finding of nothing; a question for what has been said."""
    for verb in words:
        if verb.tag != "VERB" or verb.relation in ("acl:relcl",):
            continue
        passive = any(w.lemma == "be" for w in below(verb, words, "aux")) and verb.form == past_participle(
            verb
        )
        there = len(objects(verb, words)) + any(low(w) == "what" for w in below(verb, words))
        if verb.lemma in INTRANSITIVE and there:
            return True
        if verb.lemma in TRANSITIVE and there != (0 if passive else 1):
            return True
    return False


def past_participle(verb: Word) -> str:
    return lexicon().verb(verb.lemma)[3]


def degree(words: Words) -> bool:
    """Old than; very older."""
    for word in words:
        if word.tag != "ADJ":
            continue
        more = any(low(w) == "more" for w in below(word, words))
        comparative = more or (word.form != word.lemma and word.form in lexicon().degree(word.lemma))
        than = any(low(w) == "than" for one in below(word, words) for w in below(one, words))
        if than != comparative or (comparative and any(low(w) == "very" for w in below(word, words))):
            return True
    return False


def ellipsis(words: Words) -> bool:
    """Anna smiled and Tom was too."""
    for word in words:
        if low(word) == "too" and word.head.relation == "conj":
            first, second = word.head.head, word.head
            if (first.lemma == "be") != (second.lemma == "be"):
                return True
    return False


def cause(words: Words) -> bool:
    """One is sad for what is gone, and nothing is gone for sadness."""
    for mark in words:
        if low(mark) in ("because", "so") and mark.tag in ("SCONJ", "CCONJ"):
            inner, outer = mark.head, mark.head.head
            effect, reason = (inner, outer) if low(mark) == "so" else (outer, inner)
            if said_of(reason, words) == "sad" and said_of(effect, words) == "gone":
                return True
    return False


def said_of(verb: Word, words: Words) -> str:
    return next((low(w) for w in below(verb, words, "attr")), "")


def place(words: Words) -> bool:
    """In the bridge; on the garden."""
    for noun in words:
        for w in below(noun, words, "case"):
            other = {"in": "on", "on": "in"}.get(low(w))
            if other and noun.lemma in lexicon().lists[other] and noun.lemma not in lexicon().lists[low(w)]:
                return True
    return False


def inversion(words: Words) -> bool:
    """Where the kite is?"""
    if words[-1].form != "?" or low(words[0]) not in ("where", "what", "who", "why", "when", "how"):
        return False
    root = next(w for w in words if w.relation == "root")
    subject = subject_of(root, words)
    finite = [*below(root, words, "aux"), root][0]
    return subject is not None and words.index(finite) > words.index(subject)


CHECKS: dict[str, Callable[[Words], bool]] = {
    check.__name__: check
    for check in (
        *(agreement, determiner, reflexive, case, tense, polarity, valency, degree, ellipsis, cause, place),
        inversion,
    )
}


def sentences(documents) -> Iterator[tuple[str, Words]]:
    for d in documents:
        yield from zip(d.sentences, d.words, strict=True)
