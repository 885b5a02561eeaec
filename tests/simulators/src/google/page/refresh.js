const main=document.getElementById("grid"),here=new URL(location.href);
let busy=false;
const at=y=>{const url=new URL(here);url.searchParams.delete("row");url.searchParams.set("y",Math.round(y));return url};
// The drawn rows end above or below what is in sight.
const missing=()=>{const d=main.dataset,top=main.scrollTop;
return top<+d.top||top+main.clientHeight>+d.bottom&&+d.bottom<+d.total};
async function draw(){if(busy)return;busy=true;try{
const text=await(await fetch(at(main.scrollTop),{cache:"no-store"})).text();
const fresh=new DOMParser().parseFromString(text,"text/html"),grid=fresh.getElementById("grid");
if(!grid)return;
for(const part of["header","nav"])document.querySelector(part).replaceWith(fresh.querySelector(part));
main.innerHTML=grid.innerHTML;Object.assign(main.dataset,grid.dataset);document.title=fresh.title;
}catch{}finally{busy=false}}
main.addEventListener("scroll",async()=>{if(!busy&&missing()){await draw();if(missing())await draw()}},{passive:true});
main.scrollTop=+main.dataset.y;
setInterval(async()=>{try{const url=at(0);url.searchParams.set("peek","");
const version=await(await fetch(url,{cache:"no-store"})).text();
if(version!==document.getElementById("version")?.textContent)await draw()}catch{}},3000);
