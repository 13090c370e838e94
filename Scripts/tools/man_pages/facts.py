"""What no help says: which environment variables and files there are."""

ENVIRONMENT = {
    "CREDENTIALS_DIRECTORY":
        "Set by systemd: where the credentials of a unit lie (holdfast-identity, holdfast-passphrase, "
        "holdfast-writer-key).",
    "HOLDFAST_CACHE_DIR": "Where the local state of the newest snapshots is kept. It may be deleted at any time.",
    "HOLDFAST_COMPRESSION": "How frames are compressed, where --compression does not say it.",
    "HOLDFAST_CONFIG": "The configuration, in the place of all others.",
    "HOLDFAST_CONFIG_DIR":
        "The directory of the configuration and of the writer key, in the place of /etc/holdfast and "
        "~/.config/holdfast.",
    "HOLDFAST_DATABASE": "Set for the command of bisect --test: the path of the copy that it examines.",
    "HOLDFAST_EXIT_STATUS": "Set for hooks: how the backup would end.",
    "HOLDFAST_EXPECT_KEYRING": "The digest of a revision that the keyring must have.",
    "HOLDFAST_HOOK": "Set for hooks: before, after or on-failure.",
    "HOLDFAST_IDENTITY_FILE": "The file of an identity that opens a sealed repository.",
    "HOLDFAST_LIMIT_RATE": "How fast is read at most, where --limit-rate does not say it.",
    "HOLDFAST_NOTIFY_COMMAND":
        "A command that is told of runs: HOLDFAST_EVENT, HOLDFAST_EXIT_STATUS and others, and JSON on standard "
        "input.",
    "HOLDFAST_NOTIFY_ON": "Of what is told: start, success, failure, incomplete, with commas.",
    "HOLDFAST_PARITY": "How much parity archives get, where neither --parity nor the configuration says it.",
    "HOLDFAST_PASSPHRASE_FILE": "A file with the passphrase, of mode 0600.",
    "HOLDFAST_PING_URL":
        "An address that is asked for with /start, as it is and with /fail, in the manner of Healthchecks; with "
        "_FILE behind the name: a file with it.",
    "HOLDFAST_REPOSITORY": "The repository, where --repository does not say it.",
    "HOLDFAST_SCHEDULE": "Set for what runs after a failed run: the name of the schedule.",
    "HOLDFAST_SNAPSHOT": "Set for hooks: the ID of the snapshot that was committed.",
    "HOLDFAST_SOURCE": "Set for hooks: the directory that is backed up.",
    "HOLDFAST_SSH_COMMAND": "The command that connects to SFTP servers, in place of ssh.",
    "HOLDFAST_STATE_DIR": "Where this machine remembers the repositories that it has used. Keep it.",
    "HOLDFAST_WEBHOOK_URL": "An address that is told of runs by JSON; with _FILE behind the name: a file with it.",
    "HOLDFAST_WRITER_KEY_FILE": "The key with which this machine signs its snapshots.",
    "PGHOST": "With the other variables of libpq: how a PostgreSQL server is reached.",
    "TMPDIR":
        "Where scratch files lie; they have no name, and are gone with the run. bisect --test has its copies there.",
}
# For whoever opens a repository, whatever its options say.
ENVIRONMENT_OF_REPOSITORY = [
    "HOLDFAST_CACHE_DIR", "HOLDFAST_CONFIG_DIR", "HOLDFAST_REPOSITORY", "HOLDFAST_SSH_COMMAND", "HOLDFAST_STATE_DIR",
    "TMPDIR",
]
ENVIRONMENT_OF_IDENTITY = ["CREDENTIALS_DIRECTORY", "HOLDFAST_IDENTITY_FILE", "HOLDFAST_PASSPHRASE_FILE"]

FILES_OF_REPOSITORY = {
    "~/.cache/holdfast": "The local state; for root without a home /var/cache/holdfast.",
    "~/.local/state/holdfast":
        "What this machine remembers of repositories; for root without a home /var/lib/holdfast.",
}
FILES_OF_WRITER = {
    "/etc/holdfast/writer.key": "The writer key of root; of others ~/.config/holdfast/writer.key.",
}
