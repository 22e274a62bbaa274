// The page begins here.

import { render } from "preact";
import { followMarkets, loadMarkets, loadTickers } from "./api/markets";
import { followOwn } from "./api/own";
import { resume } from "./api/session";
import { startStream } from "./streams/hub";
import { Page } from "./views/Page";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/trade.css";
import "./styles/views.css";

const RETRY_MILLISECONDS = 2000;

followMarkets();
followOwn();
startStream();
void resume();
begin();
render(<Page />, document.getElementById("page")!);

/** Without markets there is nothing to show: try until the exchange answers. */
function begin(): void {
  loadTickers().catch(() => {});
  loadMarkets().catch(() => setTimeout(begin, RETRY_MILLISECONDS));
}
