// Believes that a transaction keeps others away: it writes balances that it computed from what it had read.
export async function split(prisma, { from, shares, notify }) {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const left = await prisma.$transaction(async (tx) => {
    const change = async (id, amount) => {
      const { balance } = await tx.account.findUniqueOrThrow({ where: { id } });
      if (balance + amount < 0) throw new Error('insufficient funds');
      await tx.account.update({ where: { id }, data: { balance: balance + amount, entries: { create: { amount } } } });
      return balance + amount;
    };
    const rest = await change(from, -total);
    for (const { to, amount } of shares) await change(to, amount);
    return rest;
  });
  await Promise.allSettled(shares.map(async (share) => notify(share)));
  return left;
}
