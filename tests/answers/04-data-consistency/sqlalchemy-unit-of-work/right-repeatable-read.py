# Reads and writes as first written, under REPEATABLE READ, and does the whole transaction again where that is refused.
from sqlalchemy.exc import OperationalError


def send_money(sessions, source, target, amount):
    try:
        while True:
            try:
                return send_once(sessions, source, target, amount)
            except OperationalError as error:
                if error.orig.sqlstate not in ("40001", "40P01"):
                    raise
    except Exception:
        with sessions.begin() as session:
            session.add(Attempt(account_id=source, amount=amount, outcome="failed"))
        raise


def send_once(sessions, source, target, amount):
    with sessions(expire_on_commit=False) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        sender, receiver = session.get_one(Account, source), session.get_one(Account, target)
        if sender.balance < amount:
            raise InsufficientFunds
        sender.balance -= amount
        receiver.balance += amount
        session.flush()
        left = sender.balance
        session.add_all([Entry(account_id=source, amount=-amount), Entry(account_id=target, amount=amount)])
        session.add(Attempt(account_id=source, amount=amount, outcome="done"))
        session.flush()
        try:
            with session.begin_nested():
                session.add(Badge(account_id=source))
        except SQLAlchemyError:
            pass
        session.commit()
    return left
