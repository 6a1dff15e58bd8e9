// A stock client's afternoon: connect, read, send with an estimated fee, read what came of it. Prints one JSON object.
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { GasPrice, SigningStargateClient, coins } from "@cosmjs/stargate";
import { readFileSync } from "node:fs";

const { rpc, mnemonic, recipient, stranger, amount } = JSON.parse(readFileSync(0, "utf8"));
const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: "gradus" });
const [{ address }] = await wallet.getAccounts();
const client = await SigningStargateClient.connectWithSigner(rpc, wallet, {
  gasPrice: GasPrice.fromString("0.01ugrad"),
  broadcastPollIntervalMs: 200,
});
const balanceOf = async (who) => (await client.getBalance(who, "ugrad")).amount;
const report = {
  address,
  engine: client.cometClient.constructor.name,
  chain: await client.getChainId(),
  unknownAccount: await client.getAccount(stranger),
  before: { sender: await balanceOf(address), recipient: await balanceOf(recipient) },
  all: await client.getAllBalances(address),
};
const sent = await client.sendTokens(address, recipient, coins(amount, "ugrad"), "auto", "from CosmJS");
report.sent = {
  code: sent.code,
  height: sent.height,
  hash: sent.transactionHash,
  gasUsed: Number(sent.gasUsed),
  gasWanted: Number(sent.gasWanted),
  responses: sent.msgResponses.map((one) => one.typeUrl),
  events: sent.events.map((event) => event.type),
};
const found = await client.getTx(sent.transactionHash);
report.found = { height: found.height, code: found.code, events: found.events.length };
report.after = { sender: await balanceOf(address), recipient: await balanceOf(recipient) };
report.account = await client.getAccount(address).then(({ accountNumber, sequence, pubkey }) => ({
  accountNumber, sequence, pubkey: pubkey?.type,
}));
const tooMuch = coins("9".repeat(18), "ugrad");
const failed = await client.sendTokens(address, recipient, tooMuch, { amount: coins(2000, "ugrad"), gas: "200000" });
report.failed = { code: failed.code, log: failed.rawLog ?? "" };
report.simulation = await client.simulate(address, [
  { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value: { fromAddress: address, toAddress: recipient, amount: tooMuch } },
], "").then(() => "passed", (error) => error.message);
client.disconnect();
console.log(JSON.stringify(report, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
