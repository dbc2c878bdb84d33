"""Which connections are held at the moment."""

import sqlalchemy as sa

from bastion.database.pulse import HeldConnections


def test_a_connection_that_broke_is_not_held_for_ever() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    held = HeldConnections(engine)
    for breaks in (False, True):
        connection = engine.connect()
        assert len(held) == 1
        if breaks:
            connection.invalidate()
        connection.close()
        assert len(held) == 0
