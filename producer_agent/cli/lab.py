"""``lab``: three real Kafka nodes on loopback, to break on purpose."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import note, print_json, print_pairs, print_table, say
from producer_agent.kafka.lab import Lab

app = typer.Typer(
    help="Three real Kafka nodes on loopback (needs Java 17; Maven once).", no_args_is_help=True
)

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="The lab's folder; default: $ACKBOARD_LAB_HOME, or lab beside the database."
    ),
]
NodeArgument = Annotated[int, typer.Argument(metavar="N", help="The node: 1, 2 or 3.")]


@app.command()
def up(home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Have all three nodes running; makes the lab if there is none, and fetches Kafka once.

    Exit codes: 0 all three run and are registered; 1 they could not be had; 2 bad usage.
    """
    lab = _lab(home, db)
    note("Bringing the lab up; the first time this fetches Kafka and takes a minute.")
    lab.up()
    _tell(lab, as_json)
    if not as_json:
        say(
            "To use it: export ACKBOARD_CLUSTER_KIND=lab "
            f"KAFKA_BOOTSTRAP_SERVERS={lab.bootstrap_servers}"
        )


@app.command()
def down(home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Stop every node; what they keep stays, and `lab up` goes on from there.

    Exit codes: 0 none runs; 1 a node outlived it; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.down()
    _tell(lab, as_json)


@app.command()
def status(
    home: HomeOption = None,
    bootstrap: Annotated[
        bool,
        typer.Option("--bootstrap", help="Write the brokers' addresses and nothing else."),
    ] = False,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Show each node, judged by its process.

    Exit codes: 0 done, whatever runs; 1 the lab's file cannot be understood, or with --bootstrap
    there is no lab; 2 bad usage.
    """
    lab = _lab(home, db)
    if bootstrap:
        say(lab.bootstrap_servers)
    else:
        _tell(lab, as_json)


@app.command()
def kill(
    node: NodeArgument, home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """End a node at once (SIGKILL), as a crash does.

    Exit codes: 0 it is gone; 1 there is no such node; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.kill(node)
    _tell(lab, as_json)


@app.command()
def start(
    node: NodeArgument, home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Start a stopped node and wait until it is registered.

    Exit codes: 0 it runs; 1 it could not be started; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.start(node)
    _tell(lab, as_json)


@app.command()
def stop(
    node: NodeArgument, home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Stop a node in order (SIGTERM): it hands its leaderships over first.

    Exit codes: 0 it is stopped; 1 it was still there after 30 s; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.stop(node)
    _tell(lab, as_json)


@app.command()
def pause(
    node: NodeArgument, home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Freeze a node (SIGSTOP): connections stay open and nothing is answered.

    Exit codes: 0 it is paused; 1 it is stopped, or there is no such node; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.pause(node)
    _tell(lab, as_json)


@app.command()
def resume(
    node: NodeArgument, home: HomeOption = None, as_json: JsonOption = False, db: DbOption = None
) -> None:
    """Let a paused node go on (SIGCONT).

    Exit codes: 0 it runs; 1 it is stopped, or there is no such node; 2 bad usage.
    """
    lab = _lab(home, db)
    lab.resume(node)
    _tell(lab, as_json)


def _lab(home: Path | None, db: Path | None) -> Lab:
    return Lab(home if home is not None else settings_for(db).lab_folder)


def _tell(lab: Lab, as_json: bool) -> None:
    now = lab.status()
    if as_json:
        print_json(
            {
                "home": str(lab.home),
                "bootstrap_servers": now.bootstrap_servers or None,
                "nodes": [asdict(node) for node in now.nodes],
            }
        )
        return
    if not now.nodes:
        say(f"There is no lab in {lab.home}. `lab up` makes one.")
        return
    print_pairs({"home": lab.home, "bootstrap servers": now.bootstrap_servers})
    print_table(
        ["node", "state", "pid", "port"],
        [[node.id, node.state, node.pid, node.port] for node in now.nodes],
        right=["node", "pid", "port"],
    )
