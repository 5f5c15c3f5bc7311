# Believes that a lock of the program protects rows: whoever else writes to the database doesn't know it.
import threading

one_at_a_time = threading.Lock()


def send_money(sessions, source, target, amount):
    try:
        with one_at_a_time, sessions() as session:
            sender, receiver = session.get_one(Account, source), session.get_one(Account, target)
            if sender.balance < amount:
                raise InsufficientFunds
            sender.balance -= amount
            receiver.balance += amount
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
    except Exception:
        with sessions.begin() as session:
            session.add(Attempt(account_id=source, amount=amount, outcome="failed"))
        raise
