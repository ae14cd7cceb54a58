"""The checkpoint files that others make and read: G3DR's own training files and Lightning's, in and out."""

from g3dr.published.importing import Imported, import_published
from g3dr.published.reading import Layout
from g3dr.published.writing import to_published

__all__ = ["Imported", "Layout", "import_published", "to_published"]
