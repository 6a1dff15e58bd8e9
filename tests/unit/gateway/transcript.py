"""The transcript in abci_app/gateway/README.md, from a real run: python -m tests.unit.gateway.transcript

OpenAI's own client, a gateway over HTTP, three hosts, one of which is switched off, and a whole chain; the text model
has not been trained.
"""

import code
import contextlib
import io
import tempfile
from pathlib import Path

from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from kernels import dispatch
from tests.unit.gateway.office import PRICE_UGRAD_PER_GMA, ROWS, TEXT, Office

BLOCKS_MAX = 200
LINES = f"""
client = OpenAI(base_url=BASE_URL, api_key=API_KEY)
[model.id for model in client.models.list()]
told = client.chat.completions.create(model="{TEXT}", messages=[{{"role": "user", "content": "Hello"}}], max_tokens=12)
told.choices[0].message.content, told.choices[0].finish_reason
told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.cost_ugrad
stream = client.completions.create(model="{TEXT}", prompt="Once", max_tokens=6, temperature=0, stream=True)
[event.choices[0].text for event in stream]
client.completions.create(model="{ROWS}", prompt="1,2,3,4\\n-5,6,7,8").choices[0].text
switch_off("ann")
raw = client.completions.with_raw_response.create(model="{TEXT}", prompt="Once", max_tokens=6, temperature=0)
raw.headers["x-gradus-host"] == address_of("ben"), raw.parse().choices[0].text
client.completions.create(model="{TEXT}", prompt="Once" * 20)
OpenAI(base_url=BASE_URL, api_key="gk-wrong", max_retries=0).models.list()
client.completions.create(model="{TEXT}", prompt="Once", logprobs=3)
close_gateway()
[(one.id, one.outcome, one.receipt.total_ugrad, one.paid_ugrad, one.refund_ugrad) for one in settled_sessions()]
spent_ugrad()
"""


def run(office: Office) -> str:
    """What a terminal shows."""
    from openai import OpenAI

    from tests.chain import address_of

    for name, model_id, dearer_ugrad in (("ann", 1, 0), ("ben", 1, 1), ("cat", 2, 0)):
        office.host(name, model_id, PRICE_UGRAD_PER_GMA + dearer_ugrad)
    running = office.open(answer_s=5.0)

    def switch_off(name: str) -> None:
        host = office.hosts.pop(name)
        assert host.server is not None
        host.server.stop()

    def settled_sessions() -> list[Session]:
        for _ in range(BLOCKS_MAX):
            if sum(bool(session.closed_height) for session in office.sessions()) == len(office.hosts):
                break
            office.node.block()
            office.pause()
        return office.sessions()

    console = code.InteractiveConsole({
        "OpenAI": OpenAI, "BASE_URL": f"{running.url}/v1", "API_KEY": office.ledger.create("transcript"),
        "switch_off": switch_off, "address_of": address_of, "close_gateway": running.close,
        "settled_sessions": settled_sessions, "spent_ugrad": lambda: office.ledger.spent_ugrad})
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        for line in LINES.strip().splitlines():
            print(f">>> {line}")
            console.push(line)
    return "\n".join(line for line in shown.getvalue().splitlines() if not line.startswith((" ", "Traceback")))


def main() -> None:
    """Print it."""
    dispatch._choice = dispatch.Choice("ref", "ref")
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder))
        try:
            print(run(office))
        finally:
            office.close()


if __name__ == "__main__":
    main()
