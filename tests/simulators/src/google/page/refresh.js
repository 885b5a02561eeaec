setInterval(async()=>{try{
const text=await(await fetch(location.href,{cache:"no-store"})).text();
const fresh=new DOMParser().parseFromString(text,"text/html");
const version=d=>d.getElementById("version")?.textContent;
if(!version(fresh)||version(fresh)===version(document))return;
for(const part of["header","nav"])document.querySelector(part).replaceWith(fresh.querySelector(part));
document.getElementById("grid").innerHTML=fresh.getElementById("grid").innerHTML;
document.title=fresh.title}catch{}},3000);
