// The balances of a wallet: what is free, what is held for orders, what both are worth.

import { dollarPrice } from "../api/markets";
import { wallet as ownWallet } from "../api/own";
import { user } from "../api/session";
import type { Wallet } from "../api/types";
import { parse, times } from "../money/decimal";
import { amount } from "../money/format";
import { link } from "../parts/router";
import { Table } from "../parts/Table";

interface Line {
  asset: string;
  available: string;
  held: string;
  balance: string;
}

/** What is not zero, dollars first. */
export function linesOf(wallet: Wallet | undefined): Line[] {
  const assets = Object.keys(wallet?.balance ?? {}).filter((asset) => parse(wallet!.balance[asset]!) > 0n);
  const order = (asset: string) => (asset === "USD" ? "" : asset);
  assets.sort((one, other) => (order(one) < order(other) ? -1 : 1));
  return assets.map((asset) => ({
    asset,
    available: wallet!.available[asset] ?? "0",
    held: wallet!.held[asset] ?? "0",
    balance: wallet!.balance[asset] ?? "0",
  }));
}

export function worth(asset: string, balance: string): bigint | null {
  const price = dollarPrice(asset);
  return price === null ? null : times(parse(price), parse(balance));
}

export function Balances({ wallet = ownWallet.value }: { wallet?: Wallet | undefined }) {
  const empty = user.value ? (
    <>
      <span>This wallet is empty</span>
      <a href={link("wallets")}>Take play money</a>
    </>
  ) : (
    <>
      <span>Your orders and balances appear here</span>
      <a href={link("sign-in")}>Sign in</a>
    </>
  );
  return (
    <Table<Line>
      caption="Balances"
      name={(line) => line.asset}
      rows={linesOf(wallet)}
      empty={empty}
      columns={[
        { label: "Asset", cell: (line) => <strong>{line.asset}</strong> },
        { label: "Total", numeric: true, cell: (line) => amount(line.asset, line.balance) },
        { label: "Available", numeric: true, cell: (line) => amount(line.asset, line.available) },
        { label: "Held", numeric: true, cell: (line) => amount(line.asset, line.held) },
        {
          label: "Worth",
          numeric: true,
          cell: (line) => {
            const units = worth(line.asset, line.balance);
            return units === null ? "–" : `$${amount("USD", units)}`;
          },
        },
      ]}
    />
  );
}
