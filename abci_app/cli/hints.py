"""What to do about an error of the chain, in words of commands: by codespace and code.

The chain's own texts name no command; these are for who made the transaction with this program.
"""

_TERMS = ("`gradus tx models create --dry-run --output json` prints all terms; change them there and give the file "
          "back with --spec")
_TRAINING = f"it is a field of `training`; {_TERMS}"
_AUDIT = f"it is a field of `audit`; {_TERMS}"
_MODELS = "`gradus query models list` shows the status of each model"
_ADMIN = "`gradus query models show MODEL` names the admin; sign with its key: --from KEY"

HINTS = {
    ("models", 2): "`gradus query models list` shows those that there are",
    ("models", 3): "`gradus query models show MODEL` tells how many rounds are closed; leave --round out for the last",
    ("models", 4): "choose another with --name",
    ("models", 5): f"leave numerics out; {_TERMS}",
    ("models", 6): "--hidden gives the widths between the dataset's features and classes, such as 128,64",
    ("models", 7): "--hidden gives the widths between the dataset's features and classes; take smaller ones",
    ("models", 8): "`gradus data list` shows the datasets of this home; `gradus data add` makes one",
    ("models", 9): "leave init_seed out for a fresh one, or write 64 hex digits",
    ("models", 10): _TRAINING,
    ("models", 11): f"it is a field of `training.learning_rate`; {_TERMS}",
    ("models", 12): _TRAINING,
    ("models", 13): "--aggregation, --trim, --trainers-min and --codec set these terms",
    ("models", 14): _TRAINING,
    ("models", 15): "lower training.local_steps or training.batch_rows, or take narrower layers with --hidden; "
                    + _TERMS,
    ("models", 17): _AUDIT,
    ("models", 18): f"economy.bond_ugrad is the bond; leave it out for one that deters, or raise it; {_TERMS}",
    ("models", 19): "`create` names trainers by --invite, or nobody for open enrolment; `invite` by --add, --remove, "
                    "or --open alone",
    ("models", 20): "raise --escrow, or lower --reward",
    ("models", 21): "offer less",
    ("models", 22): _MODELS,
    ("models", 24): _ADMIN,
    ("models", 25): _MODELS,
    ("models", 26): "`gradus query work round MODEL` shows the round; `gradus tx models pause MODEL` keeps the next "
                    "from beginning",
    ("models", 27): "lower training.units_max, take a cheaper --aggregation, or narrower layers with --hidden; "
                    + _TERMS,
    ("models", 28): "--limit FIELD=MIN..MAX or FIELD=VALUE,VALUE; `gradus tx models create --help` has an example",
    ("models", 29): "`gradus query models show MODEL` shows the limits of its contract",
    ("models", 30): "`gradus tx models create` makes a new model",
    ("models", 31): "`gradus query models show MODEL` shows what stands; `gradus query models versions MODEL` what "
                    "waits",
    ("models", 32): "`gradus data list` shows the shape of each dataset of this home",
    ("models", 33): "`gradus tx models resume MODEL` lets it go on",
    ("models", 34): "`gradus query models show MODEL` shows its status",
    ("models", 35): "`gradus query models show MODEL` shows who paused it",
    ("models", 36): "its admin offers it with `gradus tx models offer-admin MODEL ADDRESS`",
    ("models", 37): "`gradus query models versions MODEL` shows them",
    ("models", 38): "--audit-fee-ppm, --reward, --committee or --audit-rate-ppm; without the first a fee that is "
                    "enough is chosen",
    ("models", 39): "`gradus tx models create --help` tells the options of inference and their ranges",
    ("models", 40): "--round takes the weights after an earlier round; the message names one that is held",
    ("work", 2): _MODELS,
    ("work", 3): "`gradus query models show MODEL` names the admin and those who are invited",
    ("work", 5): "gradus tx work leave MODEL --from KEY",
    ("work", 7): "`gradus query models show MODEL` tells the bond; offer it with --bond",
    ("work", 9): "`gradus query work trainers MODEL` shows who is enrolled",
    ("work", 10): "`gradus miner status MODEL --key KEY` shows what runs; `gradus query work round MODEL ROUND` "
                  "when it is settled",
    ("work", 34): "`gradus query work trainer MODEL KEY` shows the block, return_height",
    ("rewards", 3): _MODELS,
    ("rewards", 5): "`gradus query rewards backing MODEL KEY` tells how much it is",
    ("rewards", 7): "`gradus query rewards royalties MODEL KEY` tells what waits",
    ("disputes", 2): "`gradus query work round MODEL ROUND` shows its units, and settle_height, the end of the window",
    ("disputes", 3): "`gradus query disputes show MODEL ROUND UNIT` shows it",
    ("disputes", 4): "`gradus query disputes list MODEL` shows them",
    ("disputes", 5): "leave --bond out for what the contract asks for",
    ("disputes", 6): "`gradus query disputes list MODEL` shows those that are open",
    ("sdk", 5): "`gradus query bank balance KEY` tells what there is",
    ("sdk", 9): "an account begins with its first coins: gradus tx bank send KEY AMOUNT --from OTHER",
}


def find_hint(codespace: str, code: int) -> str:
    """What to do about an error; empty where nothing is known."""
    return HINTS.get((codespace, code), "")
