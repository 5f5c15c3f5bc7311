# The database computes and checks: no row is read before it is written.
def send_money(sessions, source, target, amount):
    def attempt(outcome):
        return Attempt(account_id=source, amount=amount, outcome=outcome)

    def change(session, account, by):
        statement = update(Account).where(Account.id == account, Account.balance + by >= 0)
        return session.scalar(statement.values(balance=Account.balance + by).returning(Account.balance))

    try:
        with sessions.begin() as session:
            left = change(session, source, -amount)
            if left is None:
                raise InsufficientFunds(source)
            if change(session, target, amount) is None:
                raise LookupError(target)
            session.add_all([Entry(account_id=source, amount=-amount), Entry(account_id=target, amount=amount)])
            session.add(attempt("done"))
            session.flush()
            savepoint = session.begin_nested()
            try:
                session.add(Badge(account_id=source))
                session.flush()
                savepoint.commit()
            except SQLAlchemyError:
                savepoint.rollback()
        return left
    except BaseException:
        with sessions.begin() as session:
            session.add(attempt("failed"))
        raise
