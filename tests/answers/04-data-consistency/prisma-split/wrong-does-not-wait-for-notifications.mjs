// Starts the notifications and returns: nobody waits for them, and one that throws at once still rejects.
export async function split(prisma, { from, shares, notify }) {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const left = await prisma.$transaction(async (tx) => {
    const { count } = await tx.account.updateMany({
      where: { id: from, balance: { gte: total } },
      data: { balance: { decrement: total } },
    });
    if (count === 0) throw new Error('insufficient funds');
    await tx.entry.create({ data: { accountId: from, amount: -total } });
    for (const { to, amount } of shares) {
      const data = { balance: { increment: amount }, entries: { create: { amount } } };
      await tx.account.update({ where: { id: to }, data });
    }
    return (await tx.account.findUniqueOrThrow({ where: { id: from } })).balance;
  });
  for (const share of shares) notify(share)?.catch(() => {});
  return left;
}
