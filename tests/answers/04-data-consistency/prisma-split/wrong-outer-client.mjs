// Credits through the outer client: another connection, another transaction, and none to be had in a pool of one.
export async function split(prisma, { from, shares, notify }) {
  const credit = ({ to, amount }) =>
    prisma.account.update({
      where: { id: to },
      data: { balance: { increment: amount }, entries: { create: { amount } } },
    });
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const left = await prisma.$transaction(async (tx) => {
    const { count } = await tx.account.updateMany({
      where: { id: from, balance: { gte: total } },
      data: { balance: { decrement: total } },
    });
    if (count === 0) throw new Error('insufficient funds');
    await tx.entry.create({ data: { accountId: from, amount: -total } });
    for (const share of shares) await credit(share);
    return (await tx.account.findUniqueOrThrow({ where: { id: from } })).balance;
  });
  await Promise.allSettled(shares.map(async (share) => notify(share)));
  return left;
}
