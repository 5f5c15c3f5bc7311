"""A gradebook in PostgreSQL, by nbgrader's own setting db_url: the same scores, and nothing in a file."""

from pathlib import Path

from nbgrader.api import Gradebook

from backendlab.lab.services import postgres
from tests.course.cohort import CELLS, RIGHT, Course
from tests.course.conftest import NAME, make_course, run


def test_a_gradebook_in_postgresql(tmp_path: Path) -> None:
    with postgres.server() as server:
        root = make_course(tmp_path / "course")
        with (root / "nbgrader_config.py").open("a") as settings:
            settings.write(f"\nc.CourseDirectory.db_url = {server.url()!r}\n")
        status, printed = run(root, "release", NAME, "--cohort", "a", "--seed", "3")
        assert status == 0, printed
        course = Course(root)
        course.hand_in("ada", timestamp="2026-11-22 10:00:00 UTC")
        course.hand_in("ben", {"paginate": RIGHT["paginate"]})
        course.write("cleo", "no notebook")
        status, printed = course.grade()
        assert status == 1, printed
        with Gradebook(server.url(), "backend-interview") as book:
            scores = {
                student: [book.find_grade(cell, NAME, NAME, student).auto_score for cell in CELLS]
                for student in ("ada", "ben", "cleo")
            }
        assert scores == {"ada": [1, 2, 1, 2, 1, 2], "ben": [1, 2, 0, 0, 0, 0], "cleo": [None] * 6}
        assert not (root / "gradebook.db").exists()
        assert course.rows()["ada"]["score"] == "9.0"
        assert "3 unchanged" in course.grade()[1]
        assert "Writing" in course.nbgrader("generate_feedback", NAME)
