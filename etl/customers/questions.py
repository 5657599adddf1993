"""The questions of the report that a customer's tables can answer, with the names of these tables."""

from __future__ import annotations

from collections.abc import Mapping

from etl import sqlfile, sqltext
from etl.sqlfile import SqlFile
from etl.store.customer_schema import views
from etl.store.customers import Customer


def names(customer: Customer) -> Mapping[str, str]:
    """The customer's view of each view that everybody knows: c_1.attempts of flat.attempts."""
    own = {view.partition(".")[2]: view for view in views(customer)}
    readers_names = {file.name for file in sqlfile.files("[23]_*")}
    return {name: own[name.partition(".")[2]] for name in readers_names if name.partition(".")[2] in own}


def questions(customer: Customer) -> list[SqlFile]:
    """The questions that read only what the customer has, and that no header keeps from customers."""
    own = names(customer)
    return [
        SqlFile(file.path, sqltext.renamed(file.text, own))
        for file in sqlfile.files("4_*")
        if set(file.reads) <= set(own) and "Customers" not in file.header
    ]
