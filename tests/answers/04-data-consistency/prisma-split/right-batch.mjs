// Prisma's other form: a list of calls, not yet sent, in one transaction; the table's own CHECK refuses what is too much.
export async function split(prisma, { from, shares, notify }) {
  const move = (id, amount) =>
    prisma.account.update({ where: { id }, data: { balance: { increment: amount }, entries: { create: { amount } } } });
  let total = 0;
  for (const { amount } of shares) total += amount;
  const [pot] = await prisma.$transaction([move(from, -total), ...shares.map(({ to, amount }) => move(to, amount))]);
  for (const share of shares) {
    try {
      await notify(share);
    } catch (error) {
      console.error('not notified', share, error);
    }
  }
  return pot.balance;
}
