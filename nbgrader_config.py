"""The course, for nbgrader's commands and its JupyterLab extensions. Its settings: backendlab.course.plugins."""

from backendlab.course.plugins import configure

c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.course_id = "backend-interview"
configure(c)
