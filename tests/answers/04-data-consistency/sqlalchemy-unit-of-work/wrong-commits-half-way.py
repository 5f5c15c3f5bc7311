# Believes that an early commit only shortens the lock: what is committed stays when the rest fails.
def send_money(sessions, source, target, amount):
    try:
        with sessions() as session:
            sender = session.get(Account, source, with_for_update=True)
            if sender.balance < amount:
                raise InsufficientFunds
            sender.balance -= amount
            left = sender.balance
            session.add(Entry(account_id=source, amount=-amount))
            session.commit()
            receiver = session.get(Account, target, with_for_update=True)
            receiver.balance += amount
            session.add_all(
                [Entry(account_id=target, amount=amount), Attempt(account_id=source, amount=amount, outcome="done")]
            )
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
