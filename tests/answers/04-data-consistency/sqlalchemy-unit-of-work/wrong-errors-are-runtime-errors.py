# "One kind of error is enough for a caller": who called can't tell what the database said.
def send_money(sessions, source, target, amount):
    """Move `amount` from account `source` to account `target`; the sender's balance as this transfer left it."""
    try:
        with sessions() as session:
            wanted = select(Account).where(Account.id.in_([source, target])).order_by(Account.id).with_for_update()
            accounts = {account.id: account for account in session.scalars(wanted)}
            sender, receiver = accounts[source], accounts[target]
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
    except Exception as error:
        with sessions.begin() as session:
            session.add(Attempt(account_id=source, amount=amount, outcome="failed"))
        if isinstance(error, InsufficientFunds):
            raise
        raise RuntimeError(str(error)) from error
