import { render } from "preact";
import { Account } from "./account";
import { Keys, listen } from "./keys";
import { MarketPage } from "./market";
import { Markets } from "./markets";
import { Operator } from "./operator";
import { PortfolioPage } from "./portfolio";
import { Proof } from "./proof";
import { Shell } from "./shell";
import { WalletPage } from "./somebody";
import { route, start } from "./store";
import { applyTheme } from "./theme";
import { TracePage } from "./trace";
import { discover } from "./wallet";

function Page() {
  const [, name, rest] = /^#\/([a-z]*)\/?(.*)$/.exec(route.value) ?? [];
  if (name === "m") return <MarketPage key={rest} />;
  if (name === "portfolio") return <PortfolioPage />;
  if (name === "proof") return <Proof seq={rest ?? ""} />;
  if (name === "trace") return <TracePage key={rest} id={decodeURIComponent(rest ?? "")} />;
  if (name === "wallet") return <WalletPage key={rest} address={rest ?? ""} />;
  if (name === "operator") return <Operator />;
  return <Markets />;
}

applyTheme();
discover();
listen();
const root = document.getElementById("app")!;
root.replaceChildren();
render(<Shell dialogs={<><Account /><Keys /></>}><Page /></Shell>, root);
void start();
