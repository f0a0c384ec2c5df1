"""A form stays open however many others open; memory stays bounded."""

from discordianai.discord.interactions.forms import MOST_FORMS, MOST_FORMS_EACH, OpenForms


def test_a_form_is_its_persons_and_good_for_once() -> None:
    forms: OpenForms[str] = OpenForms()
    custom_id = forms.open(1, "hello")
    assert forms.take(2, custom_id) is None
    assert forms.take(1, custom_id) == "hello"
    assert forms.take(1, custom_id) is None
    assert len(forms) == 0


def test_one_person_closes_no_forms_but_their_own() -> None:
    forms: OpenForms[int] = OpenForms()
    other = forms.open(2, 0)
    own = [forms.open(1, number) for number in range(MOST_FORMS * 2)]
    assert len(forms) == MOST_FORMS_EACH + 1
    assert forms.take(2, other) == 0
    assert [forms.take(1, custom_id) for custom_id in own[-MOST_FORMS_EACH - 1 :]] == [
        None,
        *range(len(own) - MOST_FORMS_EACH, len(own)),
    ]


def test_of_those_who_have_as_many_the_oldest_form_gives_way() -> None:
    """Most forms are closed without a word, so that old ones stay: somebody's new one outlives them."""
    forms: OpenForms[int] = OpenForms()
    forms.open(0, 0)
    stale = [forms.open(person, 0) for person in range(1, MOST_FORMS)]
    fresh = forms.open(0, 1)  # the first of that person gives way
    for person in range(MOST_FORMS, MOST_FORMS + 500):
        forms.open(person, 0)
    assert forms.take(0, fresh) == 1
    assert forms.take(1, stale[0]) is None
    assert len(forms) == MOST_FORMS - 1


def test_when_very_many_are_open_whoever_has_most_gives_way() -> None:
    forms: OpenForms[int] = OpenForms()
    single = forms.open(0, 0)
    first = [forms.open(1, number) for number in range(MOST_FORMS_EACH)]
    for person in range(2, MOST_FORMS):
        forms.open(person, 0)
    assert len(forms) == MOST_FORMS
    assert forms.take(1, first[0]) is None
    assert forms.take(1, first[-1]) is not None
    assert forms.take(0, single) == 0
