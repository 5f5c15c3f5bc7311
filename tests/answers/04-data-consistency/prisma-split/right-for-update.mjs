// Locks every account first, in the order of their ids, with raw SQL: then what was read stays true.
export async function split(prisma, { from, shares, notify }) {
  const total = shares.map((share) => share.amount).reduce((one, other) => one + other, 0);
  let left;
  await prisma.$transaction(
    async (tx) => {
      const ids = [from, ...shares.map((share) => share.to)];
      const rows = await tx.$queryRaw`SELECT id, balance FROM account WHERE id = ANY (${ids}) ORDER BY id FOR UPDATE`;
      const balances = new Map(rows.map(({ id, balance }) => [id, balance]));
      if (!ids.every((id) => balances.has(id))) throw new Error('no such account');
      if (balances.get(from) < total) throw new Error('insufficient funds');
      const changes = [{ to: from, amount: -total }, ...shares];
      for (const { to, amount } of changes) balances.set(to, balances.get(to) + amount);
      for (const [id, balance] of balances) await tx.account.update({ where: { id }, data: { balance } });
      await tx.entry.createMany({ data: changes.map(({ to, amount }) => ({ accountId: to, amount })) });
      left = balances.get(from);
    },
    { timeout: 20_000 },
  );
  await Promise.allSettled(shares.map((share) => Promise.try(notify, share)));
  return left;
}
