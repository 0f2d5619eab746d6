"""The grammar: builds phrases as dependency trees of words, from features, and realises them as text.

Every `Word` knows its governor (`head`) and its `relation` to it, in the style of Universal Dependencies,
except that a form of "be" governs its predicate (`attr`): an agreeing verb and its subject are always linked.
Word order is the order in a phrase's list.
"""

from ptm_explore.text.world.lexicon import lexicon

LEXICON = lexicon()
TIGHT = frozenset((",", ".", "?", "'s", "”"))
# person, gender -> subject, object, possessive, reflexive
_PRONOUNS = "1 I me my myself/2 you you your yourself/f she her her herself/m he him his himself"
_PRONOUNS += "/n it it its itself/p they them their themselves"
PRONOUNS = {who: tuple(forms) for who, *forms in map(str.split, _PRONOUNS.split("/"))}
CASES = {"subject": 0, "object": 1, "possessive": 2, "reflexive": 3}


class Word:
    """A node of the tree. `entity` is what a noun, name or pronoun refers to, or None."""

    __slots__ = ("entity", "form", "head", "lemma", "relation", "tag")

    def __init__(self, form: str, tag: str, head=None, relation="", lemma="", entity=None):
        self.form, self.tag, self.head, self.relation = form, tag, head, relation
        self.lemma, self.entity = lemma or form, entity


class Phrase:
    """Words in order, their `head`, the `role` it takes under a governor, and what a verb agrees with."""

    __slots__ = ("head", "person", "plural", "role", "words")

    def __init__(self, words: list[Word], head: Word, role: str, plural: bool = False, person: int = 3):
        self.words, self.head, self.role, self.plural, self.person = words, head, role, plural, person

    def under(self, head: Word, role: str = "") -> list[Word]:
        """Attaches the phrase to a governor and returns its words."""
        self.head.head, self.head.relation = head, role or self.role
        return self.words


def noun(lemma: str, det="the", *adjectives: str, plural=False, count="", after=(), entity=None) -> Phrase:
    """A noun phrase: determiner or possessor (a phrase), number word, adjectives, noun, what follows."""
    head = Word(LEXICON.plural(lemma) if plural else lemma, "NOUN", None, "", lemma, entity)
    words = []
    if type(det) is Phrase:
        words += det.under(head, "nmod:poss")
    elif det and not (det == "a" and (plural or LEXICON.is_mass(lemma))):
        words.append(Word(det, "DET", head, "det"))
    if count:
        words.append(Word(count, "NUM", head, "nummod"))
    words += [Word(one, "ADJ", head, "amod") for one in adjectives]
    words.append(head)
    for phrase in after:
        words += phrase.under(head, "nmod" if phrase.role == "obl" else "")
    return Phrase(words, head, "obj", plural)


def name(text: str, entity=None) -> Phrase:
    head = Word(text, "PROPN", entity=entity)
    return Phrase([head], head, "obj")


def pronoun(who: str, case: str = "subject", entity=None) -> Phrase:
    """`who` is a key of PRONOUNS."""
    forms = PRONOUNS[who]
    head = Word(forms[CASES[case]], "PRON", None, "", forms[0], entity)
    return Phrase([head], head, "obj", who == "p", {"1": 1, "2": 2}.get(who, 3))


def genitive(owner: Phrase) -> Phrase:
    """Anna: Anna's"""
    owner.words.append(Word("'s", "PART", owner.head, "case"))
    return owner


def pp(preposition: str, phrase: Phrase) -> Phrase:
    phrase.words.insert(0, Word(preposition, "ADP", phrase.head, "case"))
    phrase.role = "obl"
    return phrase


def adjective(lemma: str, *after: Phrase, comparative=False, very=False) -> Phrase:
    """A predicate: tired; very tired; older than Piet."""
    forms = ("very",) * very + (LEXICON.degree(lemma) if comparative else (lemma,))
    head = Word(forms[-1], "ADJ", lemma=lemma)
    words = [*(Word(form, "ADV", head, "advmod") for form in forms[:-1]), head]
    for phrase in after:
        words += phrase.under(head)
    return Phrase(words, head, "attr")


def adverb(text: str, tag: str = "ADV") -> Phrase:
    """One adverb or a fixed expression: soon, at last."""
    first, *more = text.split("_")
    head = Word(first, tag)
    return Phrase([head, *(Word(form, "ADV", head, "fixed") for form in more)], head, "advmod")


def comma(head: Word) -> Word:
    return Word(",", "PUNCT", head, "punct")


def both(first: Phrase, second: Phrase, word: str = "and") -> Phrase:
    """Coordination: A and B; A, so B. Two noun phrases make a plural."""
    mark = [Word(word, "CCONJ", second.head, "cc")]
    mark[:0] = [comma(second.head)] * (word in ("so", "but"))
    words = first.words + mark + second.under(first.head, "conj")
    return Phrase(words, first.head, first.role, word == "and", min(first.person, second.person))


def finite(lemma: str, tense: str, subject: Phrase) -> str:
    """The form that agrees with the subject."""
    person = 2 if subject.plural else subject.person  # every plural goes with the form of "you"
    if lemma == "be":
        return {"past": ("was", "were", "was")}.get(tense, ("am", "are", "is"))[person - 1]
    return LEXICON.verb(lemma)[2 if tense == "past" else 1 if person == 3 else 0]


def clause(
    subject: Phrase, verb: str, *rest: Phrase, tense="past", negative=False, modal="", perfect=False,
    progressive=False, passive=False, manner="", front: Phrase | None = None, ask="", silent=False,
) -> Phrase:  # fmt: skip
    """A clause around `verb`. `ask`: "?" for a yes/no question, or the question word. `silent`: the subject
    is not said and only decides the verb form, for coordinated verbs and relative clauses."""
    said = ((modal, modal, 0), (perfect, "have", 3), (progressive, "be", 4), (passive, "be", 3))
    chain = [(lemma, form) for has, lemma, form in said if has]  # auxiliaries, and the form each asks for
    if not chain and (negative or ask) and verb != "be":
        chain.append(("do", 0))
    wanted = -1
    head = Word("", "VERB", lemma=verb)
    verbs = []
    for lemma, gives in chain:
        form = LEXICON.verb(lemma)[wanted] if wanted >= 0 else modal or finite(lemma, tense, subject)
        verbs.append(Word(form, "PART" if lemma == "to" else "AUX", head, "aux", lemma))
        wanted = gives
    head.form = LEXICON.verb(verb)[wanted] if wanted >= 0 else finite(verb, tense, subject)
    verbs.append(head)
    if negative:
        verbs.insert(1, Word("not", "PART", head, "advmod"))
    if manner:
        place = 1 if verb == "be" else len(verbs) - bool(rest)
        verbs.insert(place, Word(manner, "ADV", head, "advmod"))
    words = [] if silent else subject.under(head, "nsubj:pass" if passive else "nsubj")
    words = [verbs[0], *words, *verbs[1:]] if ask else words + verbs
    if ask not in ("", "?"):
        words.insert(0, Word(ask, "ADV", head, "advmod"))
    for phrase in rest:
        words += phrase.under(head, "attr" if verb == "be" and phrase.role == "obj" else "")
    if front is not None:
        pause = len(front.words) > 2 or front.head.tag == "INTJ"
        words = front.under(head) + [comma(head)] * pause + words
    return Phrase(words, head, "ccomp")


def there(subject: Phrase, *rest: Phrase, verb="be", **features) -> Phrase:
    """There was a boat in the harbour: the verb agrees with what follows it."""
    made = clause(subject, verb, *rest, silent=True, **features)
    at = next(i for i, word in enumerate(made.words) if word is made.head)
    expletive = Word("there", "PRON", made.head, "expl")
    made.words[at : at + 1] = [expletive, made.head, *subject.under(made.head, "nsubj")]
    return made


def because(mark: str, inner: Phrase, role: str = "advcl") -> Phrase:
    """A clause under a conjunction: because, so, although, when, that."""
    inner.words.insert(0, Word(mark, "SCONJ", inner.head, "mark"))
    inner.role = role
    return inner


def capital(word: Word) -> None:
    word.form = word.form[0].upper() + word.form[1:]


def quote(inner: Phrase, end: str, says: Word, speaker: Phrase) -> Phrase:
    """“I am a baker,” said Anna."""
    capital(inner.words[0])
    forms = ("“", "," if end == "." else end, "”", ".")
    first, mark, last, stop = (Word(form, "PUNCT", inner.head, "punct") for form in forms)
    stop.head = says
    words = [first, *inner.under(says), mark, last, says, *speaker.under(says, "nsubj"), stop]
    return Phrase(words, says, "root")


def realise(phrase: Phrase, end: str = ".") -> tuple[str, tuple[Word, ...]]:
    """The sentence as text and its words: a or an, capitals, spaces and punctuation are settled here."""
    words = phrase.words
    if words[-1].form == ",":
        words.pop()
    if words[-1].form not in ".?":
        words.append(Word(end, "PUNCT", phrase.head, "punct"))
    phrase.head.relation = "root"
    capital(words[0] if words[0].form != "“" else words[1])
    text, glue, kept = "", True, []
    for i, word in enumerate(words):
        form = word.form
        if form == "," and words[i + 1].form in ",.?":
            continue  # the closing comma of an aside, before other punctuation
        if form in ("a", "A") and word.tag == "DET" and words[i + 1].form[0] in "aeiouAEIOU":
            word.form = form = form + "n"
        text += form if glue or form in TIGHT else " " + form
        glue = form == "“"
        kept.append(word)
    return text, tuple(kept)
