"""workers, holds, budgets; who leads and who sends an announcement"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "holds",
        sa.Column("destination", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("destination", "kind", name=op.f("pk_holds")),
    )
    op.create_table(
        "budgets",
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("booked_to", sa.Float(), nullable=False),
        sa.Column("closed_to", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_budgets")),
    )
    # `runs` stays, unused: a column that an older version still writes is dropped one release later.
    op.add_column("announcements", sa.Column("worker", sa.String(length=40), server_default="", nullable=False))
    op.add_column("announcements", sa.Column("term", sa.Integer(), server_default="0", nullable=False))
    op.add_column("announcements", sa.Column("leads", sa.String(length=80), server_default="", nullable=False))
    op.add_column("announcements", sa.Column("led_since", sa.String(27), nullable=True))
    op.create_index(op.f("ix_announcements_worker"), "announcements", ["worker"])
    op.create_index(op.f("ix_attempts_delivery"), "attempts", ["delivery"])
    op.create_index("ix_attempts_remote_id", "attempts", ["remote_id"])
    # So that a hundred thousand follow-ups that sleep are not looked at.
    op.create_index("ix_follow_ups_opening", "follow_ups", ["state", "opens"])
    op.create_index("ix_follow_ups_closing", "follow_ups", ["state", "closes"])
    op.create_index("ix_announcements_closing", "announcements", ["state", "not_after"])
