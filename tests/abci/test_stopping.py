"""A signal ends the app's process whichever of its threads takes it."""

import subprocess
import sys
from pathlib import Path

SERVER = """
import signal, sys, threading, time
from pathlib import Path
from abci_app.abci.node import serve
from abci_app.abci.server import Server, listen_unix

class Calls:
    def call(self, name, request):
        raise NotImplementedError

def signal_own_thread():
    time.sleep(0.5)  # by then the main thread waits for connections
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

threading.Thread(target=signal_own_thread, daemon=True).start()
serve(Server(Calls(), listen_unix(Path(sys.argv[1]))))
print("stopped")
"""


def test_signal_that_another_thread_takes_ends_the_server_that_waits_in_the_main_one(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SERVER, str(tmp_path / "s")], text=True, capture_output=True,
                          timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr
