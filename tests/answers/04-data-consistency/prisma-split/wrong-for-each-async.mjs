// Believes that forEach waits for an async function: the transaction commits before the credits are sent.
export async function split(prisma, { from, shares, notify }) {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const left = await prisma.$transaction(async (tx) => {
    const { count } = await tx.account.updateMany({
      where: { id: from, balance: { gte: total } },
      data: { balance: { decrement: total } },
    });
    if (count === 0) throw new Error('insufficient funds');
    await tx.entry.create({ data: { accountId: from, amount: -total } });
    shares.forEach(async ({ to, amount }) => {
      await tx.account
        .update({ where: { id: to }, data: { balance: { increment: amount }, entries: { create: { amount } } } })
        .catch(() => {});
    });
    return (await tx.account.findUniqueOrThrow({ where: { id: from } })).balance;
  });
  await Promise.allSettled(shares.map(async (share) => notify(share)));
  return left;
}
