"""Write what was found into nbgrader's gradebook and folders, as `nbgrader autograde` would have.

One process writes, one transaction a submission. `autograded/STUDENT/LESSON/LESSON.ipynb` is written last and names
what it was made from: where it stands, the gradebook has the scores, and where it doesn't, grading begins anew. A kill
between the two costs a second grading of that submission, with the same result.
"""

from __future__ import annotations

import copy
import shutil
import time
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbformat import NotebookNode, from_dict, v4
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError, SAWarning
from traitlets.config import Config

from backendlab.course import around, lesson, plugins
from backendlab.course.grade.plain import escaped, harmless, printable
from backendlab.course.grade.spread import Assignment
from backendlab.course.grade.submissions import Submission
from backendlab.course.judge import Outcome
from backendlab.trouble import Trouble

MARK = "backendlab"  # the notebook metadata that says what an autograded notebook was made from
PATIENCE = 60.0  # seconds that another program may hold the gradebook
LONGEST_MESSAGE = 4000  # characters of one test's message in feedback


@dataclass(frozen=True)
class Course:
    """nbgrader's course in a folder, by its own configuration."""

    directory: CourseDirectory
    config: Config

    def folder(self, kind: str, student: str, name: str) -> Path:
        return Path(self.directory.format_path(getattr(self.directory, f"{kind}_directory"), student, name))

    def students_folder(self, kind: str) -> Path:
        return Path(self.directory.format_path(getattr(self.directory, f"{kind}_directory"), ".", ".")).resolve()


def course(root: Path) -> Course:
    """The course whose nbgrader_config.py lies in `root`, as nbgrader's own commands would read it there."""
    config = plugins.load(root)
    return Course(CourseDirectory(config=config), config)


class Recorder:
    """The one writer of a gradebook and of autograded notebooks. Use it in a `with` block."""

    def __init__(self, course: Course, name: str, shown: NotebookNode, released: Assignment):
        """`shown`: the notebook whose tests stand in feedback, with hidden tests or without."""
        self.course, self.name, self.shown, self.released = course, name, shown, released
        # nbgrader 0.9.6 makes rows by way of relationships that SQLAlchemy 2 warns of; what is stored is right.
        warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
        self.gradebook = Gradebook(course.directory.db_url, course.directory.course_id)
        self.cells: dict[str, tuple[str, float]] = {}  # by the gradebook's own id

    def __enter__(self) -> Recorder:
        try:
            self.gradebook.find_notebook(self.name, self.name)
        except MissingEntry:
            self.gradebook.close()
            raise Trouble(
                f"The gradebook doesn't know {self.name}: run `backendlab release {self.name} --cohort NAME` "
                "(or `nbgrader generate_assignment`) first."
            ) from None
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.gradebook.close()

    def path(self, student: str) -> Path:
        return self.course.folder("autograded", student, self.name) / f"{self.name}.ipynb"

    def known(self) -> set[str]:
        """The students for whom the gradebook has a submission of this lesson."""
        return {submission.student_id for submission in self.gradebook.assignment_submissions(self.name)}

    def made_from(self, student: str) -> dict[str, str]:
        """What the autograded notebook says it was made from: `submission` and `tests`; empty if there is none."""
        try:
            return dict(lesson.open_notebook(self.path(student)).metadata.get(MARK, {}))
        except (Trouble, TypeError, ValueError):
            return {}

    def scores(self, waiting: Collection[str] = ()) -> list[dict[str, object]]:
        """A row for every submission of the lesson that the gradebook knows: who, what in all, and test by test.

        Of those `waiting` to be graded the gradebook has, at best, the score of an older submission.
        """
        rows: list[dict[str, object]] = []
        for submission in sorted(self.gradebook.assignment_submissions(self.name), key=lambda one: one.student_id):
            notebook = self.gradebook.find_submission_notebook(self.name, self.name, submission.student_id)
            row: dict[str, object] = {self._cell(grade)[0]: grade.score for grade in notebook.grades}
            row |= {"student": submission.student_id, "score": notebook.score, "max_score": notebook.max_score}
            row |= {"late_penalty": notebook.late_submission_penalty or 0.0, "timestamp": submission.timestamp or ""}
            row["state"] = "needs a person" if notebook.needs_manual_grade else "graded"
            if submission.student_id in waiting:
                row["state"] = "waits to be graded"
            rows.append(row)
        return rows

    def begin(self, submission: Submission) -> None:
        """Take back what an earlier grading left, so that it can't be taken for this one's, whatever happens now."""
        folder = self.course.folder("autograded", submission.student, self.name)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)

    def save(self, submission: Submission, outcomes: dict[str, list[Outcome]], trouble: str = "") -> None:
        """Record a submission's scores, or why it has none."""
        trouble = trouble or submission.trouble
        said = {outcome.test: outcome for one in outcomes.values() for outcome in one}
        self._patiently(lambda: self._save_scores(submission, outcomes, trouble))
        self._patiently(lambda: self._late_penalty(submission))
        self._write(submission, said, trouble)

    def _patiently(self, write: Callable[[], object]) -> None:
        """Write to the gradebook; where another program holds it (formgrader, an export), wait for a while."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                write()
                return
            except OperationalError as error:
                self.gradebook.db.rollback()
                if time.monotonic() > end:
                    raise Trouble(
                        f"The gradebook can't be written ({str(error.orig)[:200]}): another program may hold it. What "
                        "was graded so far is kept; run this again when it is free."
                    ) from None

    def _save_scores(self, submission: Submission, outcomes: dict[str, list[Outcome]], trouble: str) -> None:
        said = {outcome.test: outcome for one in outcomes.values() for outcome in one}
        book, name = self.gradebook, self.name
        book.update_or_create_student(submission.student)
        times: dict[str, datetime] = {"timestamp": submission.timestamp} if submission.timestamp else {}
        book.update_or_create_submission(name, submission.student, **times)
        notebook = book.find_submission_notebook(name, name, submission.student)
        for grade in notebook.grades:
            test, points = self._cell(grade)
            outcome = said.get(test)
            held = bool(trouble) or (outcome is not None and outcome.result == "broken")
            passed = outcome is not None and outcome.result == "passed"
            grade.auto_score = None if held else points if passed else 0.0
            grade.needs_manual_grade = held or grade.manual_score is not None
        for comment in notebook.comments:
            answered, _ = self._cell(comment)
            answer = submission.answers.get(answered)
            blank = answer is None or answer == self.released.stubs.get(answered)
            if blank:  # unless the student wrote it into a cell of their own
                blank = not any(o.result == "passed" for o in outcomes.get(answered, ()))
            comment.auto_comment = harmless(f"Not graded: {trouble}.") if trouble else "No response." if blank else None
        book.db.commit()

    def _cell(self, row: Grade | Comment) -> tuple[str, float]:
        """The name of the cell that a row is about, and its points: asked once, not for each of a cohort's rows."""
        if row.cell_id not in self.cells:
            self.cells[row.cell_id] = row.name, float(getattr(row.cell, "max_score", None) or 0.0)
        return self.cells[row.cell_id]

    def _late_penalty(self, submission: Submission) -> None:
        """nbgrader's own step, with the course's plug-in."""
        from nbgrader.preprocessors import AssignLatePenalties

        resources = {
            "nbgrader": {
                "notebook": self.name,
                "assignment": self.name,
                "student": submission.student,
                "db_url": self.course.directory.db_url,
            }
        }
        try:
            AssignLatePenalties(config=self.course.config).preprocess(v4.new_notebook(), resources)
        except OperationalError:
            raise
        except Exception as error:  # the course's own plug-in
            raise Trouble(
                f"The late penalty of {submission.student} could not be computed: {type(error).__name__}: {error}. "
                "See AssignLatePenalties in nbgrader_config.py; then run this again."
            ) from error

    def _write(self, submission: Submission, said: dict[str, Outcome], trouble: str) -> None:
        made = NotebookNode(self.shown, cells=[], metadata=copy.deepcopy(self.shown.metadata))
        for cell in self.shown.cells:  # those that stay as they are stand in both
            name = lesson.grade_id(cell)
            if name is not None and lesson.is_answer(cell):
                cell = NotebookNode(cell, source=printable(submission.answers.get(name, "")))
            elif lesson.is_test(cell) and name in said:
                cell = NotebookNode(cell, outputs=[output(said[name])])
            made.cells.append(cell)
        self._show_own_cells(made, submission)
        heads = [f"**Not graded.** This submission could not be graded: {printable(trouble)}."] if trouble else []
        heads += [f"Note: {printable(note)}." for note in submission.notes]
        if heads:
            made.cells.insert(0, v4.new_markdown_cell("\n\n".join(map(escaped, heads)), id="about-the-grading"))
        ours = (trouble and not submission.trouble) or any(one.result == "broken" for one in said.values())
        digest = "" if ours else submission.digest  # what went wrong on our side is tried again by the next run
        made.metadata[MARK] = {"submission": digest, "tests": self.released.digest}
        path = self.path(submission.student)
        path.parent.mkdir(parents=True, exist_ok=True)
        if submission.timestamp:
            (path.parent / "timestamp.txt").write_text(f"{submission.timestamp} UTC")
        if path.exists():
            path.chmod(0o644)
        lesson.write(made, path)

    def _show_own_cells(self, made: NotebookNode, submission: Submission) -> None:
        """Put the code cells that the student added where they stood: before the same answer or test."""
        waiting: list[str] = []
        count = 0
        for kind, text in [*submission.places, (around.TEST, "")]:
            if kind == around.OWN:
                waiting.append(text)
                continue
            if not waiting:
                continue
            there = [at for at, cell in enumerate(made.cells) if lesson.grade_id(cell) == text]
            at = there[0] if there else len(made.cells)
            for source in waiting if there or not text else ():
                count += 1
                own = v4.new_code_cell(printable(source), id=f"added-{count}", metadata={"tags": ["added"]})
                made.cells.insert(at, own)
                at += 1
            waiting = [] if there else waiting


def output(outcome: Outcome) -> NotebookNode:
    """What stands under a test's cell in feedback: that it passed, or what was expected and what came."""
    if outcome.result == "passed":
        text = f"✓ passed: {outcome.points:g} of {outcome.points:g} points\n"
        return from_dict({"output_type": "stream", "name": "stdout", "text": text})  # v4.new_output checks a schema
    kind = {"not done": "Not done yet", "broken": "Held for a person to look at: the test itself broke"}
    said = printable(outcome.message)[:LONGEST_MESSAGE].strip()
    title = kind.get(outcome.result, "Failed")
    if outcome.result == "broken":
        said = ""  # a traceback of ours is nothing for students; the grader has it
    name = "hidden test" if outcome.hidden else "check"
    lines = [f"✗ {title} ({name}): 0 of {outcome.points:g} points", *([said] if said else [])]
    return from_dict({"output_type": "error", "ename": title, "evalue": said, "traceback": ["\n".join(lines)]})
