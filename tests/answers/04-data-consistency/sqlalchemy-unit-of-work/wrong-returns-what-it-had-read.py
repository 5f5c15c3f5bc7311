# "I read 100 and take 60, so 40 are left": the UPDATE takes them from what is there by then.
def send_money(sessions, source, target, amount):
    """Move `amount` from account `source` to account `target`; the sender's balance as this transfer left it."""
    try:
        with sessions() as session:
            left = session.get_one(Account, source).balance - amount
            for account, by in ((source, -amount), (target, amount)):
                change = update(Account).where(Account.id == account, Account.balance + by >= 0)
                done = session.execute(change.values(balance=Account.balance + by))
                if not done.rowcount:
                    raise InsufficientFunds if account == source else LookupError(account)
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
