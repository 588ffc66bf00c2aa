// A trading session with Polymarket's unmodified TypeScript client: derive keys, place, find, cancel.
//
//     node tests/sdk/typescript/session.mjs http://127.0.0.1:8000 0x<private key> <condition id>
//
// Prints one JSON object. Only the host changes; chain id 80002 is what the client signs with.
import { ClobClient, OrderType, Side } from "@polymarket/clob-client";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { polygonAmoy } from "viem/chains";

const [host, key, conditionId] = process.argv.slice(2);
const log = console.log;
console.log = console.error = () => {}; // the client talks on stdout

const signer = createWalletClient({ account: privateKeyToAccount(key), chain: polygonAmoy, transport: http(host) });
const creds = await new ClobClient(host, polygonAmoy.id, signer).createOrDeriveApiKey();
const client = new ClobClient(host, polygonAmoy.id, signer, creds);

const market = await client.getMarket(conditionId);
const tokenID = market.tokens[0].token_id;
const seen = { ok: await client.getOk(), market: market.condition_id, apiKeys: await client.getApiKeys() };
seen.book = await client.getOrderBook(tokenID);
seen.bookHash = await client.getOrderBookHash({ ...seen.book });
seen.placed = await client.createAndPostOrder({ tokenID, price: 0.1, size: 10, side: Side.BUY }, {}, OrderType.GTC);
seen.order = await client.getOrder(seen.placed.orderID);
seen.open = (await client.getOpenOrders({ market: conditionId })).map((order) => order.id);
seen.canceled = await client.cancelOrder({ orderID: seen.placed.orderID });
seen.openAfter = (await client.getOpenOrders({ market: conditionId })).map((order) => order.id);
seen.refused = await client.createAndPostOrder({ tokenID, price: 0.1, size: 900000, side: Side.BUY }, {}, OrderType.GTC);
seen.trades = await client.getTrades({ market: conditionId });
log(JSON.stringify(seen));
