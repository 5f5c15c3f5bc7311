// "I read 100 and take 60, so 40 are left": the UPDATE takes them from what is there by then.
/** Debit account `from` by the sum of `shares`, credit each `to`, then notify; the balance that is left. */
export async function split(prisma, { from, shares, notify }) {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0);
  const left = await prisma.$transaction(async (tx) => {
    const pot = await tx.account.findUniqueOrThrow({ where: { id: from } });
    const { count } = await tx.account.updateMany({
      where: { id: from, balance: { gte: total } },
      data: { balance: { decrement: total } },
    });
    if (count === 0) throw new Error('insufficient funds, or no such account');
    await tx.entry.create({ data: { accountId: from, amount: -total } });
    for (const { to, amount } of shares) {
      const data = { balance: { increment: amount }, entries: { create: { amount } } };
      await tx.account.update({ where: { id: to }, data });
    }
    return pot.balance - total;
  });
  await Promise.allSettled(shares.map(async (share) => notify(share)));
  return left;
}
