"""Files that people send along, with a question or in the message of a menu. One bot reads all of them."""

import time
from typing import Any

import pytest
import trio

from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.discord.user_actions import upload, use_menu
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played
from tests.end_to_end.test_crashes import turns

pytestmark = pytest.mark.xdist_group("limited")

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture(scope="module")
def scene(limited_scene: SharedScene) -> SharedScene:
    return limited_scene


async def asked_with(scene: Scene, file: Any, number: int) -> Any:
    """What the model is shown of a question with that file."""
    await scene.ask("what is it?", options={"file": file}, user=person(number))
    return scene.sandbox.openai.requests[-1]["input"][-1]["content"]


async def refused_with(scene: Scene, file: Any, number: int) -> Interaction:
    """What a person reads whose file is not taken; no provider is asked then."""
    before = len(scene.sandbox.openai.requests)
    shown = await scene.sandbox.discord.invoke(
        "ask", {"prompt": "what is it?", "file": file}, user=person(number)
    )
    await shown.wait_until(lambda i: not i.loading)
    assert len(scene.sandbox.openai.requests) == before
    return shown


@played
async def test_text_and_code_are_read_and_stand_in_the_question_with_their_name(scene: Scene) -> None:
    code = upload(scene.sandbox.discord, "llama.py", b"print('```')\n", "text/x-python; charset=utf-8")
    said = await asked_with(scene, code, 1)
    assert said == "what is it?\n\nllama.py:\n````py\nprint('```')\n````"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_charset_is_detected(scene: SharedScene, charset: str) -> None:
    text = "Das Müsli wäre schön süß, größer, kühler und öfter für Jürgen. " * 5

    async def play(stage: Scene) -> None:
        file = upload(stage.sandbox.discord, "notes.txt", text.encode(charset))
        assert text.rstrip() in await asked_with(stage, file, 2)

    scene.portal.call(play, scene.scene)


@played
async def test_an_image_goes_to_a_model_that_sees(scene: Scene) -> None:
    image = upload(scene.sandbox.discord, "llama.png", PICTURE, "image/png")
    words, picture = await asked_with(scene, image, 3)
    assert words == {"type": "input_text", "text": "what is it?"}
    assert picture == {"type": "input_image", "image_url": image["url"]}


@played
async def test_a_document_goes_to_a_model_that_reads_it(scene: Scene) -> None:
    """As its address, like a picture: the provider fetches it from Discord."""
    document = upload(scene.sandbox.discord, "llama.pdf", b"%PDF-1.7\n", "application/pdf")
    words, file = await asked_with(scene, document, 9)
    assert words == {"type": "input_text", "text": "what is it?"}
    assert file == {"type": "input_file", "file_url": document["url"]}


@played
async def test_what_is_no_text_is_refused_with_a_sentence(scene: Scene) -> None:
    binary = upload(scene.sandbox.discord, "llama.bin", bytes(range(256)) * 4, "application/zip")
    assert "llama.bin isn't a file I can read" in (await refused_with(scene, binary, 4)).text


@played
async def test_a_kind_is_told_by_content_before_size_and_header(scene: Scene) -> None:
    """A picture that no model takes is not told how large it may be."""
    heic = upload(
        scene.sandbox.discord, "llama.heic", b"\x00\x00\x00\x18ftypheic" + bytes(3_000_000), "image/heic"
    )
    assert "llama.heic is a HEIC image, which I can't read" in (await refused_with(scene, heic, 13)).text
    unnamed = {**upload(scene.sandbox.discord, "llama", PICTURE * 16), "content_type": None}
    _, picture = await asked_with(scene, unnamed, 13)
    assert picture == {"type": "input_image", "image_url": unnamed["url"]}


@played
async def test_again_and_a_follow_up_are_asked_with_the_same_picture(scene: Scene) -> None:
    discord, user = scene.sandbox.discord, person(14)
    image = upload(discord, "llama.png", PICTURE, "image/png")
    shown = {"type": "input_image", "image_url": image["url"]}
    answer = await scene.ask("what is it?", options={"file": image}, user=user)
    answered = scene.answered()
    discord.press(answer.messages[-1], "Again", user)
    await scene.wait_answered(answered + 1)
    assert scene.sandbox.openai.requests[-1]["input"][-1]["content"][1] == shown
    await scene.ask("and its colour?", user=user)
    assert shown in scene.sandbox.openai.requests[-1]["input"][-3]["content"]


@played
async def test_again_says_that_a_picture_has_expired_and_a_follow_up_names_it(scene: Scene) -> None:
    """Discord's addresses say until when they are good."""
    discord, user = scene.sandbox.discord, person(15)
    image = upload(discord, "llama.png", PICTURE, "image/png")
    image["url"] += f"?ex={int(time.time()) + 3:x}&is=1&hm=2"
    answer = await scene.ask("what is it?", options={"file": image}, user=user)
    await trio.sleep_until(trio.current_time() + 3)
    again = discord.press(answer.messages[-1], "Again", user)
    await again.wait_until(lambda i: "llama.png has expired on Discord. Please send it again." in i.text, 30)
    await scene.ask("and its colour?", user=user)
    assert "no longer shown here: llama.png" in str(scene.sandbox.openai.requests[-1]["input"][-3])


@played
async def test_what_is_too_large_is_refused_with_how_large_it_may_be(scene: Scene) -> None:
    discord = scene.sandbox.discord
    text = upload(discord, "long.txt", b"x" * 4097)
    assert "long.txt is too large: the limit is 4 KB." in (await refused_with(scene, text, 5)).text
    image = upload(discord, "large.png", PICTURE * 40, "image/png")
    assert "large.png is too large: the limit is 8 KB." in (await refused_with(scene, image, 5)).text
    liar = {**upload(discord, "liar.txt", b"x" * 9000), "size": 10}
    assert "liar.txt is too large" in (await refused_with(scene, liar, 5)).text


@played
async def test_what_cannot_be_fetched_or_is_elsewhere_is_said_to_be_so(scene: Scene) -> None:
    gone = {**upload(scene.sandbox.discord, "gone.txt", b"x")}
    scene.sandbox.discord.uploads.clear()
    assert "gone.txt couldn't be downloaded from Discord" in (await refused_with(scene, gone, 6)).text
    elsewhere = {**gone, "url": "http://169.254.169.254/latest/meta-data"}
    assert "couldn't be downloaded from Discord" in (await refused_with(scene, elsewhere, 6)).text


@played
async def test_an_odd_address_is_a_file_that_cannot_be_read(scene: Scene) -> None:
    """Neither the bot nor a provider is sent there."""
    discord = scene.sandbox.discord
    for url in ("https://[docs]/a.txt", "https://discord.com\uff0fa", "http://discord.com/a", ""):
        for file in (upload(discord, "odd.txt", b"x"), upload(discord, "odd.png", PICTURE, "image/png")):
            told = await refused_with(scene, {**file, "url": url}, 9)
            assert "couldn't be downloaded from Discord" in told.text


async def told_of(scene: Scene, files: list[Any], number: int) -> str:
    """What a person reads who uses the menu of a message with these files, none of which is asked for."""
    discord, before = scene.sandbox.discord, len(scene.sandbox.openai.requests)
    shown = use_menu(discord, "Explain", "see there", user=person(number), files=files)
    await shown.wait_until(lambda i: not i.loading)
    assert len(scene.sandbox.openai.requests) == before
    return shown.text


@played
async def test_files_that_are_too_many_or_too_much_together_are_refused(scene: Scene) -> None:
    files = [upload(scene.sandbox.discord, f"{n}.txt", b"x" * 4000) for n in range(11)]
    assert "11 files, and I can take 10" in await told_of(scene, files, 10)
    assert "39 KB in total, and I can take about 15 KB" in await told_of(scene, files[:10], 10)


@played
async def test_text_that_does_not_fit_the_model_is_refused_with_how_long_it_is(scene: Scene) -> None:
    files = [upload(scene.sandbox.discord, f"{n}.txt", b"word " * 800) for n in range(3)]
    answered = scene.answered()
    words = await told_of(scene, files, 11)
    await scene.wait_answered(answered + 1)  # as far as the log goes
    assert "too long for me: about 3," in words
    assert "send fewer or shorter files" in words


@played
async def test_of_a_long_file_an_excerpt_is_kept_and_marked_as_one(scene: Scene) -> None:
    """The model is shown all of it, once."""
    content = "".join(f"line {n}\n" for n in range(460)).encode()
    file = upload(scene.sandbox.discord, "lines.txt", content)
    assert "line 459" in await asked_with(scene, file, 12)
    (kept,) = (turn for turn in turns(scene.sandbox) if "lines.txt" in turn and "sandbox" not in turn)
    assert "lines.txt (an excerpt: the first 4,000 of 4,0" in kept
    assert "line 459" not in kept
    assert kept.endswith("```")


@played
async def test_after_a_refusal_the_next_question_is_answered(scene: Scene) -> None:
    binary = upload(scene.sandbox.discord, "llama.zip", bytes(range(256)) * 4, "application/zip")
    for _ in range(6):  # more than one person may have open
        await refused_with(scene, binary, 7)
    assert "You asked: “well then?”" in (await scene.ask("well then?", user=person(7))).text


@played
async def test_the_files_of_a_message_go_along_with_its_menu(scene: Scene) -> None:
    discord = scene.sandbox.discord
    answered, file = scene.answered(), upload(discord, "notes.txt", b"Llamas spit.")
    use_menu(discord, "Summarize", "see there", user=person(8), files=[file])
    await scene.wait_answered(answered + 1)
    assert "Llamas spit." in scene.sandbox.openai.requests[-1]["input"][-1]["content"]
