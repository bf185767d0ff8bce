// The front page: forms, live table, state of the lab. Each part is a file of its own beside this one.
import * as act from "./act.js";
import * as compare from "./compare.js";
import * as done from "../web/done.js";
import * as forms from "./forms.js";
import { showHealth, showStream } from "../web/health.js";
import * as race from "./race.js";
import { follow } from "../web/stream.js";
import * as table from "./table.js";

table.start();
forms.start(sent);
race.start(sent);
compare.start();
act.start((task, act) => (act === "retry" ? sent : table.apply)([task]));

function sent(tasks) {
  done.expect(tasks);
  table.apply(tasks);
}

follow({
  tasks({ tasks, counts, checks }) {
    table.apply(tasks);
    race.apply(tasks);
    compare.refresh();
    table.showCounts(tasks, counts, checks);
    done.note(tasks);
  },
  health: showHealth,
  reset() {
    table.refreshSoon();
    compare.refresh();
    done.catchUp();
  },
  waits: done.waits,
  live: showStream,
});
