// Believes that a call after a call is safe as long as each is awaited.
export async function split(prisma, { from, shares, notify }) {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const { count } = await prisma.account.updateMany({
    where: { id: from, balance: { gte: total } },
    data: { balance: { decrement: total } },
  });
  if (count === 0) throw new Error('insufficient funds');
  await prisma.entry.create({ data: { accountId: from, amount: -total } });
  for (const { to, amount } of shares) {
    const data = { balance: { increment: amount }, entries: { create: { amount } } };
    await prisma.account.update({ where: { id: to }, data });
  }
  const { balance } = await prisma.account.findUniqueOrThrow({ where: { id: from } });
  await Promise.allSettled(shares.map(async (share) => notify(share)));
  return balance;
}
