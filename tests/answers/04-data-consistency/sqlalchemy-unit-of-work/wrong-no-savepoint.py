# Believes that catching the error is enough: PostgreSQL has given up the whole transaction by then.
def send_money(sessions, source, target, amount):
    try:
        with sessions.begin() as session:
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
                session.add(Badge(account_id=source))
                session.flush()
            except SQLAlchemyError:
                pass
        return left
    except Exception:
        with sessions.begin() as session:
            session.add(Attempt(account_id=source, amount=amount, outcome="failed"))
        raise
